"""Demos of `tag`."""

from ensue.data.demos import Demo
from ensue.data.demos.tokens import tag_code

DEMOS = {
    "tokens": Demo(
        "tag",
        "tsv",
        "Python: lines of small modules of CPython's standard library, cut into words and signs, "
        "each tagged by Python's own tokeniser with the token that it is a piece of; they differ "
        "between versions of Python",
        tag_code,
        ".tsv",
    ),
}
