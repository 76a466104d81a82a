"""Embedded data, so that every verb works with no download."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ensue.data.demos.code import write_code
from ensue.data.demos.names import write_names
from ensue.data.demos.text import write_text
from ensue.data.settings import Kind


@dataclass(frozen=True)
class Demo:
    """Data that is made on this machine."""

    kind: Kind
    description: str
    write: Callable[[Path], None]
    """Write the data to a file, UTF-8. Raises UserError if a package is missing."""


DEMOS: dict[str, Demo] = {
    "text": Demo(
        "text",
        "English: the help topics that come with CPython (pydoc_data.topics), half a million characters; "
        "they differ a little from one version of Python to the next",
        write_text,
    ),
    "code": Demo(
        "text",
        "Python: two million characters of CPython's standard library, its top-level modules in the order of their "
        "names; they differ from one version of Python to the next",
        write_code,
    ),
    "names": Demo(
        "lines",
        "first names of twelve countries, from Faker (the extra `demos`), one a line; they differ by its version",
        write_names,
    ),
}
"""Name to demo."""
