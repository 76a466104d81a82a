"""Syntax trees of Python's own standard library: what each part of an expression is, from its
words alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice

from ensue.data.demos.code import modules

ROOTS = (
    ast.Attribute
    | ast.BinOp
    | ast.BoolOp
    | ast.Call
    | ast.Compare
    | ast.IfExp
    | ast.List
    | ast.Subscript
    | ast.Tuple
)
"""Kinds of whole expressions that are frequent enough to be learned."""

SMALLEST, LARGEST, MOST, EVERY = 5, 40, 12_000, 2
"""Nodes of a tree; trees in all; and one of how many modules is read."""


def trees() -> str:
    """Give an expression a line as a bracketed tree: inner nodes have Python's name of their kind,
    words have none.

    No expression comes twice, as written but for its brackets.
    """
    seen: dict[str, None] = {}
    for _, source in islice(modules(), 0, None, EVERY):
        for expression in _largest(ast.parse(source)):
            if (
                isinstance(expression, ROOTS)
                and SMALLEST <= (tree := bracketed(expression)).count("(") <= LARGEST
            ):
                seen[tree] = None
    return "".join(f"{tree}\n" for tree in islice(seen, MOST))


def _largest(node: ast.AST) -> Iterator[ast.expr]:
    """Give the expressions that are not part of another."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        else:
            yield from _largest(child)


def bracketed(node: ast.AST) -> str:
    """Write a syntax tree in brackets.

    >>> bracketed(ast.parse("x.real + 1", mode="eval").body)
    '(BinOp (Attribute (_ x) (_ real)) (_ 1))'
    """
    children = [
        bracketed(child)
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.expr | ast.keyword)
    ]
    if isinstance(node, ast.Attribute | ast.keyword):
        children.append(_word(getattr(node, "attr", None) or getattr(node, "arg", None) or "**"))
    if not children:
        return _word(ast.unparse(node))
    return f"({type(node).__name__} {' '.join(children)})"


def _word(text: str) -> str:
    """Write a leaf; brackets and blanks within a word would be taken for the tree's."""
    word = re.sub(r"[()\s]+", ".", text)[:20]
    return f"(_ {word})"
