"""Demo data sets that are made on this machine, so that every verb works without a download."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Demo:
    """A demo data set."""

    task: str
    """Verb that the data is made for."""
    format: str
    """File format, as that verb names it."""
    description: str
    text: Callable[[], str]
    """Function that returns the content of the file.

    It raises UserError if a package is missing.
    """
    ending: str = ".txt"
    """Extension of the file."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Further verbs that may train on it, and the format that each reads it as."""
