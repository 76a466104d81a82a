"""Text from data as people are shown it: it may hold what a terminal obeys, Markdown lays out, or a
browser runs.

Labels, samples, names of files and columns come from files that somebody else may have made. JSON
and files of data stay exact; all that is written for people passes one of these functions.
"""

from __future__ import annotations

import html
import re

CONTROLS = "\x00-\x1f\x7f-\x9f"
"""C0, delete, and C1: what begins with escape sets titles, moves the cursor, and answers in the
place of a person."""
DIRECTIONS = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Line separators, and what turns the direction of text round, so that a name is not what it
seems to be."""
SURROGATES = "\ud800-\udfff"
"""What stands for the bytes of a name that is not UTF-8; it cannot be written."""
_UNSEEN = re.compile(f"[{CONTROLS}{DIRECTIONS}{SURROGATES}]")
_IN_LINES = re.compile(f"(?![\n\t])[{CONTROLS}{DIRECTIONS}{SURROGATES}]")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
"""A code span: what stands between two runs of as many backticks (CommonMark 6.1)."""
_MARKS = re.compile(r"([\\`*\[\]~$]|(?<![^\W_])_|_(?![^\W_])|^#)")
"""What lays text out; an underscore within a word is none."""
_LINKS = re.compile(r"(?i)\b(https?|ftp|www)([:.])")
"""What becomes a link by itself."""


def for_terminal(text: str, lines: bool = False) -> str:
    r"""Give a text on one line, or in its own `lines`, with what a terminal would obey written as
    Python writes it.

    >>> for_terminal("a\x1b]0;owned\x07\nb")
    'a\\x1b]0;owned\\x07\\nb'
    >>> for_terminal("two\n\tlines", lines=True)
    'two\n\tlines'
    """
    return (_IN_LINES if lines else _UNSEEN).sub(_as_escape, text)


def for_html(text: str) -> str:
    r"""Give a text that stands in HTML, in an element or in an attribute, as itself.

    >>> for_html("<b>\x07")
    '&lt;b&gt;\\x07'
    """
    return html.escape(for_terminal(text, lines=True))


def for_markdown(text: str, cell: bool = False) -> str:
    r"""Give a text that stands on one line of Markdown, or in a `cell` of a table of it, as itself;
    `code` stays code.

    >>> for_markdown("<script> a|b [c](d), by `ensue <x>`")
    '&lt;script&gt; a|b \\[c\\](d), by `ensue <x>`'
    >>> for_markdown("a|b", cell=True)
    'a\\|b'
    """
    line, parts, end = for_terminal(text), [], 0
    for code in _CODE.finditer(line):
        parts += [_plain(line[end : code.start()]), code[0]]
        end = code.end()
    whole = "".join([*parts, _plain(line[end:])])
    # A bar ends a cell, even in code.
    return whole.replace("|", "\\|") if cell else whole


def _plain(text: str) -> str:
    return html.escape(_LINKS.sub(r"\1\\\2", _MARKS.sub(r"\\\1", text)), quote=False)


def _as_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
