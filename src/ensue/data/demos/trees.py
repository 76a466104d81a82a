"""Demo of syntax trees of Python's standard library: predict the kind of each expression."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice

from ensue.data.demos.code import read_modules

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
"""Kinds of expressions that are frequent enough to be learned."""

SMALLEST, LARGEST, MOST, MODULE_STRIDE = 5, 40, 12_000, 2
"""Minimum and maximum of nodes, maximum of trees, and stride over the modules."""


def parse_code() -> str:
    """Return one expression a line as a bracketed tree, without duplicates.

    Inner nodes are labelled with the kind of expression; words have no label.
    """
    seen: dict[str, None] = {}
    for _, source in islice(read_modules(), 0, None, MODULE_STRIDE):
        for expression in _find_largest(ast.parse(source)):
            if (
                isinstance(expression, ROOTS)
                and SMALLEST <= (tree := format_tree(expression)).count("(") <= LARGEST
            ):
                seen[tree] = None
    return "".join(f"{tree}\n" for tree in islice(seen, MOST))


def _find_largest(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that are not part of another."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        else:
            yield from _find_largest(child)


def format_tree(node: ast.AST) -> str:
    """Format a syntax tree in brackets.

    >>> format_tree(ast.parse("x.real + 1", mode="eval").body)
    '(BinOp (Attribute (_ x) (_ real)) (_ 1))'
    """
    children = [
        format_tree(child)
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.expr | ast.keyword)
    ]
    if isinstance(node, ast.Attribute | ast.keyword):
        children.append(_leaf(getattr(node, "attr", None) or getattr(node, "arg", None) or "**"))
    if not children:
        return _leaf(ast.unparse(node))
    return f"({type(node).__name__} {' '.join(children)})"


def _leaf(text: str) -> str:
    """Format a leaf; brackets and blanks inside a word would be read as those of the tree."""
    word = re.sub(r"[()\s]+", ".", text)[:20]
    return f"(_ {word})"
