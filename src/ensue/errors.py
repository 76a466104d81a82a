"""Errors that a person caused and can mend; each is one line: where, what, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Tell a person what is wrong with their input, where it is, and how to mend it.

    >>> print(UserError("the file is empty", where="poems.txt", mend="give a file with some text"))
    poems.txt: the file is empty; give a file with some text
    """

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what, self.where, self.mend = what, where, mend
        line = what if where is None else f"{where}: {what}"
        super().__init__(line if mend is None else f"{line}; {mend}")


class SettingError(UserError):
    """A setting is unknown, has a value that it cannot take, or contradicts another."""


class DataError(UserError):
    """A data file cannot be read as what it is said to be."""


class PromptError(UserError):
    """A prompt, or a constraint on what follows it, cannot be honoured."""


class RunError(UserError):
    """A run folder is missing, damaged, in use, or of another version."""


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """A person stopped the work; what was done is saved, and the message says how to go on."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest of the `known` names, or list them all if none is near.

    >>> did_you_mean("lsmt", ["gru", "lstm"])
    'did you mean lstm?'
    >>> did_you_mean("xyz", ["gru", "lstm"])
    'choose from gru, lstm'
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
