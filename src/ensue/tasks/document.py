"""Blocks of a report, each as Markdown and as HTML, with text from data escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ensue.escape import for_html, for_markdown, for_terminal, shorten
from ensue.inspection.pictures import to_svg

# The page loads nothing and runs nothing: its policy forbids all but the styles written in it.
PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; color: #222; max-width: 60rem; margin: 2rem auto }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #ddd }} div {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-size: 0.85rem; white-space: nowrap }}
th, td {{ padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; text-align: right }}
th:first-child, td:first-child {{ text-align: left }} mark {{ background: #ffdf8a }}
pre {{ background: #f5f5f5; padding: 0.7rem; white-space: break-spaces; overflow-wrap: anywhere }}
figcaption, sub {{ font-size: 0.8em; color: #555 }} svg {{ max-width: 100%; height: auto }}
</style></head><body>
{body}
</body></html>
"""


class Block(NamedTuple):
    """A part of a report, in both languages."""

    markdown: str
    html: str


class Section(NamedTuple):
    """A section of a report; one without blocks is left out."""

    title: str
    blocks: Sequence[Block]


def paragraph(text: str) -> Block:
    """Write a paragraph; text between backticks is code.

    >>> paragraph("a<b, by `ensue <x>`").html
    '<p>a&lt;b, by <code>ensue &lt;x&gt;</code></p>'
    """
    return Block(for_markdown(text), f"<p>{for_html(text, code=True)}</p>")


def bullets(lines: Iterable[str]) -> list[Block]:
    """Write a list, or nothing if there are no lines.

    >>> bullets(["one", "two"])[0].markdown
    '- one\\n- two'
    """
    if not (lines := [*lines]):
        return []
    items = "".join(f"<li>{for_html(line, code=True)}</li>" for line in lines)
    return [Block("\n".join(f"- {for_markdown(one)}" for one in lines), f"<ul>{items}</ul>")]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    """Write a table; the page scrolls where it is wide."""
    text, page = [], []
    for kind, full in (("th", columns), *(("td", row) for row in rows)):
        row = [*map(shorten, full)]
        text.append("| " + " | ".join(for_markdown(one, cell=True) for one in row) + " |")
        cells = "".join(f"<{kind}>{for_html(one, code=True)}</{kind}>" for one in row)
        page.append(f"<tr>{cells}</tr>")
    text.insert(1, "|---" * len(columns) + "|")
    return Block("\n".join(text), "<div><table>\n" + "\n".join(page) + "</table></div>")


def quotation(text: str, page: str) -> Block:
    """Quote a text as a code block; `page` is the same as HTML, with its marks.

    Line ends other than newlines are escaped, for Markdown would end the block there.
    """
    lines = for_terminal(text, lines=True).split("\n")
    return Block("\n".join(f"    {line}" for line in lines), f"<pre>{page}</pre>")


def picture(caption: str, draw: Callable[..., Any], *values: Any) -> Block:
    """Draw a picture of values for the page; the model card is text.

    A picture that fails costs nothing but itself: the training has succeeded.
    """
    try:
        page = to_svg(draw, *values)
    except Exception as error:
        page = f"<p>This picture could not be drawn: {for_html(repr(error))}</p>"
    return Block("", f"<figure>{page}<figcaption>{for_html(caption)}</figcaption></figure>")


def write_report(title: str, sections: Iterable[Section]) -> Block:
    """Write a report as Markdown, without pictures, and as a page that needs no other file."""
    texts, pages = [f"# {for_markdown(title)}"], [f"<h1>{for_html(title)}</h1>"]
    for head, blocks in sections:
        if own := [one.markdown for one in blocks if one.markdown]:
            texts += [f"## {head}"] * bool(head) + own
        if blocks:
            pages += [f"<h2>{head}</h2>"] * bool(head) + [one.html for one in blocks]
    page = PAGE.format(title=for_html(title), body="\n".join(pages))
    return Block("\n\n".join(texts) + "\n", page)
