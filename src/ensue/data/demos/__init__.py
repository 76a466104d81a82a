"""Demo data sets that are made on this machine, so that every verb works without a download."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ensue.data.demos.ball import simulate_balls
from ensue.data.demos.code import read_code
from ensue.data.demos.modules import read_module_lines
from ensue.data.demos.names import list_names
from ensue.data.demos.sunspots import load_sunspots
from ensue.data.demos.text import read_help_topics
from ensue.data.demos.tokens import tag_code
from ensue.data.demos.trees import parse_code


@dataclass(frozen=True)
class Demo:
    """A demo data set."""

    format: str
    """File format, as the verb names it whose demo it is."""
    description: str
    text: Callable[[], str]
    """Function that returns the content of the file.

    It raises UserError if a package is missing.
    """
    ending: str = ".txt"
    """Extension of the file."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Further verbs that may train on it, and the format that each reads it as."""


DEMOS: dict[str, Demo] = {
    "text": Demo(
        "text",
        "English: the help topics that come with CPython (pydoc_data.topics) without their "
        "tables, 400,000 characters; they differ a little from one version of Python to the next",
        read_help_topics,
    ),
    "code": Demo(
        "text",
        "Python: two million characters of CPython's standard library, its top-level modules in "
        "the order of their names; they differ from one version of Python to the next",
        read_code,
    ),
    "names": Demo(
        "lines",
        "first names of twelve countries, from Faker (the extra `demos`), one a line; they differ "
        "by its version",
        list_names,
    ),
    "modules": Demo(
        "table",
        "lines of Python: from ten modules of CPython's standard library, each labelled with its "
        "own; they differ from one version of Python to the next",
        read_module_lines,
        ".jsonl",
    ),
    "ast": Demo(
        "trees",
        "trees: the longest expressions in CPython's standard library; the kind of each part is "
        "to be predicted from its words alone; they differ from one version of Python to the next",
        parse_code,
    ),
    "tokens": Demo(
        "tsv",
        "Python: lines of small modules of CPython's standard library, cut into words and signs, "
        "each tagged by Python's own tokeniser with the token that it is a piece of; they differ "
        "between versions of Python",
        tag_code,
        ".tsv",
    ),
    "ball": Demo(
        "series",
        "24 balls that bounce in a box, simulated: their positions x and y in metres every 0.04 "
        "s, with errors of 5 mm; given the path, where does it go next?",
        simulate_balls,
        ".csv",
        {"generate": "steps"},
    ),
    "sunspots": Demo(
        "series",
        "sunspot numbers of the years 1700 to 2008, from statsmodels (the extra `demos`)",
        load_sunspots,
        ".csv",
    ),
}
"""Demos by name."""
