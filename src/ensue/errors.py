"""Errors that a person caused and can mend; each is one line: where, what, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

LONGEST = 1000
"""Characters of each part of a message: what stands in a file may be a cell of a million."""


def with_article(word: str) -> str:
    """Put "a" or "an" before the name of a type.

    >>> with_article("list"), with_article("int"), with_article("ndarray")
    ('a list', 'an int', 'an ndarray')
    """
    return f"{'an' if word[0] in 'aeioAEIO' or word == 'ndarray' else 'a'} {word}"


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[: LONGEST - 200]} ... {text[-190:]}"


class UserError(Exception):
    """Tell a person what is wrong with their input, where it is, and how to mend it.

    `option` is another mend, that takes a flag of `train` and `check`: a command that uses a run leaves it out.

    >>> error = UserError("the file is empty", where="poems.txt", mend="give another", option="leave out --test")
    >>> print(error)
    poems.txt: the file is empty; give another, or leave out --test
    >>> print(error.without_option())
    poems.txt: the file is empty; give another
    """

    def __init__(
        self, what: str, *, where: str | None = None, mend: str | None = None, option: str | None = None
    ) -> None:
        self.what, self.where, self.mend, self.option = _short(what) or "", where, _short(mend), _short(option)
        line = self.what if where is None else f"{where}: {self.what}"
        super().__init__(f"{line}; {self.advice}" if self.advice else line)

    @property
    def advice(self) -> str | None:
        """All that mends it."""
        return ", or ".join(filter(None, (self.mend, self.option))) or None

    def at(self, where: str) -> Self:
        """Give the same with a place, unless it has one."""
        return type(self)(self.what, where=self.where or where, mend=self.mend, option=self.option)

    def without_option(self) -> Self:
        """Give the same for a command that has no such flag."""
        return type(self)(self.what, where=self.where, mend=self.mend)


class SettingError(UserError):
    """A setting is unknown, has a value that it cannot take, or contradicts another."""

    untyped = ""
    """The Python file that is named where no person of this session typed it."""


class DataError(UserError):
    """A data file cannot be read as what it is said to be."""


class PromptError(UserError):
    """A prompt, or a constraint on what follows it, cannot be honoured."""


class RunError(UserError):
    """A run folder is missing, damaged, in use, or of another version."""

    disk = False
    """Whether the disk refused to take what was written; what was there before is still there."""


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
