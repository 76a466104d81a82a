"""Demos of `generate`."""

from ensue.data.demos import Demo
from ensue.data.demos.code import read_code
from ensue.data.demos.names import list_names
from ensue.data.demos.text import read_help_topics

DEMOS = {
    "text": Demo(
        "generate",
        "text",
        "English: the help topics that come with CPython (pydoc_data.topics) without their "
        "tables, 400,000 characters; they differ a little from one version of Python to the next",
        read_help_topics,
    ),
    "code": Demo(
        "generate",
        "text",
        "Python: two million characters of CPython's standard library, its top-level modules in "
        "the order of their names; they differ from one version of Python to the next",
        read_code,
    ),
    "names": Demo(
        "generate",
        "lines",
        "first names of twelve countries, from Faker (the extra `demos`), one a line; they differ "
        "by its version",
        list_names,
    ),
}
