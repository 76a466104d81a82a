"""Demos of `classify`."""

from ensue.data.demos import Demo
from ensue.data.demos.modules import read_module_lines
from ensue.data.demos.trees import parse_code

DEMOS = {
    "modules": Demo(
        "classify",
        "table",
        "lines of Python: from ten modules of CPython's standard library, each labelled with its "
        "own; they differ from one version of Python to the next",
        read_module_lines,
        ".jsonl",
    ),
    "ast": Demo(
        "classify",
        "trees",
        "trees: the longest expressions in CPython's standard library; the kind of each part is "
        "to be predicted from its words alone; they differ from one version of Python to the next",
        parse_code,
    ),
}
