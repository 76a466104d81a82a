"""Escaping of untrusted text for terminals, CSV, HTML and Markdown.

Labels, samples, and names of files and columns come from files that others may have made. JSON and
data files stay exact. All text written for people passes one of these functions.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

MAX_NAME = 120
"""Characters of a name or a cell that people see; one from data may have a million."""
MAX_PART = 1000
"""Characters of a part of a message: problem, place or fix."""
SETTING = re.compile(r"--set ((?:'[^'`]*'|[^\s'`])*(?:'[^'`]*'|[^\s'`;,.)]))")
"""An assignment after `--set`, as advice has it."""
CONTROLS = "\x00-\x1f\x7f-\x9f"
"""Control characters C0, delete and C1: escape sequences could set titles or answer prompts."""
DIRECTIONS = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Line separators and bidirectional overrides, which could disguise a name."""
SURROGATES = "\ud800-\udfff"
"""Surrogates, which stand for undecodable bytes of file names and cannot be encoded."""
_UNSEEN = re.compile(f"[{CONTROLS}{DIRECTIONS}{SURROGATES}]")
_IN_LINES = re.compile(f"(?![\n\t])[{CONTROLS}{DIRECTIONS}{SURROGATES}]")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
"""A code span: text between two equally long runs of backticks (CommonMark 6.1)."""
_MARKS = re.compile(r"([\\`*\[\]~$]|(?<![^\W_])_|_(?![^\W_])|^#)")
"""Markdown syntax; an underscore inside a word is plain text."""
_LINKS = re.compile(r"(?i)\b(https?|ftp|www)([:.])")
"""Text that Markdown links automatically."""


def shorten(text: str, limit: int = MAX_NAME) -> str:
    """Leave out the middle of a long text from data, such as the name of a column or a label.

    >>> shorten("a" * 20 + "b" * 20, 20)
    'aaaaaaaaaa ... bbbbb'
    """
    end = limit // 4
    return text if len(text) <= limit else f"{text[: limit - end - 5]} ... {text[-end:]}"


def for_terminal(text: str, lines: bool = False) -> str:
    r"""Escape control characters as in Python; `lines` preserves newlines and tabs.

    >>> for_terminal("a\x1b]0;owned\x07\nb")
    'a\\x1b]0;owned\\x07\\nb'
    >>> for_terminal("two\n\tlines", lines=True)
    'two\n\tlines'
    """
    return (_IN_LINES if lines else _UNSEEN).sub(_escape, text)


def csv_line(cells: Iterable[Any]) -> str:
    """Write a line of CSV."""
    line = StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def for_html(text: str, code: bool = False) -> str:
    r"""Escape a text for an HTML element or attribute; `code` turns code spans into elements.

    >>> for_html("<b>\x07")
    '&lt;b&gt;\\x07'
    >>> for_html("`<b>`", code=True)
    '<code>&lt;b&gt;</code>'
    """
    shown = for_terminal(text, lines=True)
    shown = html.escape(_mark_settings(shown) if code else shown)
    return _CODE.sub(r"<code>\2</code>", shown) if code else shown


def for_markdown(text: str, cell: bool = False) -> str:
    r"""Escape a text for one line of Markdown, or a table `cell`; code spans stay code.

    >>> for_markdown("<script> a|b [c](d), by `ensue <x>`")
    '&lt;script&gt; a|b \\[c\\](d), by `ensue <x>`'
    >>> print(for_markdown("[names], with --set 'data.names=[1]'"))
    \[names\], with `--set 'data.names=[1]'`
    >>> for_markdown("a|b", cell=True)
    'a\\|b'
    """
    line, parts, end = _mark_settings(for_terminal(text)), [], 0
    for code in _CODE.finditer(line):
        parts += [_plain(line[end : code.start()]), code[0]]
        end = code.end()
    line = "".join([*parts, _plain(line[end:])])
    # In a table a bar ends the cell, even inside a code span.
    return line.replace("|", "\\|") if cell else line


def _mark_settings(text: str) -> str:
    """Mark assignments in advice, as typed on the command line, as code spans."""
    parts = re.split("(`[^`]*`)", text)
    return "".join(one if one[:1] == "`" else SETTING.sub(r"`\g<0>`", one) for one in parts)


def _plain(text: str) -> str:
    return html.escape(_LINKS.sub(r"\1\\\2", _MARKS.sub(r"\\\1", text)), quote=False)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
