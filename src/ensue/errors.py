"""Errors that a person caused and can mend; each is one line: where, what, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

MAX_LENGTH = 1000
"""Characters of each part of a message: what stands in a file may be a cell of a million."""


def with_article(word: str) -> str:
    """Put "a" or "an" before the name of a type.

    >>> with_article("list"), with_article("int"), with_article("ndarray")
    ('a list', 'an int', 'an ndarray')
    """
    return f"{'an' if word[0] in 'aeioAEIO' or word == 'ndarray' else 'a'} {word}"


def _short(text: str | None) -> str | None:
    return (
        text
        if text is None or len(text) <= MAX_LENGTH
        else f"{text[: MAX_LENGTH - 200]} ... {text[-190:]}"
    )


class UserError(Exception):
    """Tell a person what is wrong with their input, where it is, and how to mend it.

    `flag_hint` is another hint, that takes a flag of `train` and `check`: a command that uses a run
    leaves it out.

    >>> error = UserError("the file is empty", where="poems.txt", hint="give another",
    ...     flag_hint="leave out --test")
    >>> print(error)
    poems.txt: the file is empty; give another, or leave out --test
    >>> print(error.without_flag_hint())
    poems.txt: the file is empty; give another
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        flag_hint: str | None = None,
    ) -> None:
        self.what, self.where, self.hint, self.flag_hint = (
            _short(what) or "",
            where,
            _short(hint),
            _short(flag_hint),
        )
        line = self.what if where is None else f"{where}: {self.what}"
        super().__init__(f"{line}; {self.advice}" if self.advice else line)

    @property
    def advice(self) -> str | None:
        """All that mends it."""
        return ", or ".join(filter(None, (self.hint, self.flag_hint))) or None

    def at(self, where: str) -> Self:
        """Give the same with a place, unless it has one."""
        return type(self)(
            self.what, where=self.where or where, hint=self.hint, flag_hint=self.flag_hint
        )

    def without_flag_hint(self) -> Self:
        """Give the same for a command that has no such flag."""
        return type(self)(self.what, where=self.where, hint=self.hint)


class SettingError(UserError):
    """A setting is unknown, has a value that it cannot take, or contradicts another."""

    untrusted_file = ""
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
