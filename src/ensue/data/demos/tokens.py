"""Demo of tokens of Python source, tagged by Python's own tokeniser.

The tag of a token depends on its context.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections.abc import Iterator

from ensue.data.demos.code import read_modules

MOST = 60_000
"""Maximum number of tokens; modules are not cut."""
PIECE = re.compile(r"[^\W\d]\w*|\d\w*|[^\w\s]")
KINDS = {
    tokenize.STRING: "STRING",
    tokenize.NUMBER: "NUMBER",
    tokenize.OP: "OPERATOR",
    tokenize.COMMENT: "COMMENT",
    **{
        getattr(tokenize, name): "STRING"
        for name in dir(tokenize)
        if name.startswith(("FSTRING_", "TSTRING_"))
    },
}


def tag_code() -> str:
    """Return the lines of small top-level modules of the standard library as tagged sentences."""
    count, lines = 0, []
    for _, source in read_modules():
        if count >= MOST or len(source.encode()) > 20_000:
            continue
        for sentence in tag_lines(source):
            lines += [f"{piece}\t{tag}\n" for piece, tag in sentence] + ["\n"]
            count += len(sentence)
    return "".join(lines)


def tag_lines(source: str) -> Iterator[list[tuple[str, str]]]:
    """Split each line into words, numbers and single signs, tagged with the token they belong to.

    >>> next(tag_lines("if x: print('if')"))[:5]
    [('if', 'KEYWORD'), ('x', 'NAME'), (':', 'OPERATOR'), ('print', 'NAME'), ('(', 'OPERATOR')]
    """
    tags: dict[tuple[int, int], str] = {}
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = KINDS.get(token.type)
        if token.type == tokenize.NAME:
            kind = "KEYWORD" if keyword.iskeyword(token.string) else "NAME"
        (row, column), end = token.start, token.end
        for line in range(row, end[0] + 1) if kind else ():
            last = end[1] if line == end[0] else len(lines[line - 1])
            tags |= {(line, at): str(kind) for at in range(column if line == row else 0, last)}
    for number, line in enumerate(lines, 1):
        found = [
            (piece.group(), tags.get((number, piece.start()))) for piece in PIECE.finditer(line)
        ]
        if pieces := [(piece, tag) for piece, tag in found if tag]:
            yield pieces
