"""Errors that a user can correct; each is one line: place, problem, fix."""

import re
import shlex
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from typing import Self

from ensue.escape import MAX_PART, SETTING, shorten


def with_article(word: str) -> str:
    """Prefix the name of a type with "a" or "an".

    >>> with_article("list"), with_article("int"), with_article("ndarray")
    ('a list', 'an int', 'an ndarray')
    """
    return f"{'an' if word[0] in 'aeioAEIO' or word == 'ndarray' else 'a'} {word}"


FLAG = re.compile(r"(?<![\w'\"-])--([a-z][a-z-]*)")


def for_python(text: str) -> str:
    """Write flags of the command line in a message as parameters; commands stay.

    >>> print(for_python("give --set fill='leave out', or --label-file; see `ensue train --help`"))
    give settings=['fill=leave out'], or label_file; see `ensue train --help`
    >>> print(for_python("--set: there is no setting 'modl.order'"))
    settings: there is no setting 'modl.order'
    """

    def translate(text: str) -> str:
        text = SETTING.sub(lambda found: f"settings={shlex.split(found[1])}", text)
        text = re.sub(r"(?<![\w'\"-])--set\b", "settings", text)
        return FLAG.sub(lambda found: found[1].replace("-", "_"), text)

    parts = re.split("(`[^`]*`)", text)
    return "".join(one if one[:1] == "`" else translate(one) for one in parts)


class UserError(Exception):
    """An error in user input, printed as one line: place, problem, fix.

    `flag_hint` is a second fix that needs a flag of `train` and `check`. Commands that use a run
    omit it.

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
        self.where, self.what = where, shorten(what, MAX_PART)
        self.hint, self.flag_hint = (one and shorten(one, MAX_PART) for one in (hint, flag_hint))
        line = self.what if where is None else f"{where}: {self.what}"
        super().__init__(f"{line}; {self.advice}" if self.advice else line)

    @property
    def advice(self) -> str | None:
        """All fixes, joined by "or"; None without any."""
        return ", or ".join(filter(None, (self.hint, self.flag_hint))) or None

    def at(self, where: str) -> Self:
        """Return a copy with a place, unless it already has one."""
        return type(self)(
            self.what, where=self.where or where, hint=self.hint, flag_hint=self.flag_hint
        )

    def rewrite(self, change: Callable[[str], str]) -> Self:
        """Return a copy with every part changed."""
        parts = (self.what, self.where, self.hint, self.flag_hint)
        what, where, hint, flag_hint = (part and change(part) for part in parts)
        return type(self)(what or "", where=where, hint=hint, flag_hint=flag_hint)

    def without_flag_hint(self) -> Self:
        """Return a copy for commands that lack the flag of `flag_hint`."""
        return type(self)(self.what, where=self.where, hint=self.hint)


_COMMAND_LINE = ContextVar("command line", default=False)


@contextmanager
def on_command_line() -> Generator[None, None, None]:
    """Let errors name flags, as a user of the command line sets them."""
    token = _COMMAND_LINE.set(True)
    try:
        yield
    finally:
        _COMMAND_LINE.reset(token)


@contextmanager
def in_python() -> Generator[None, None, None]:
    """Let errors of a function name parameters, unless the command line calls it."""
    try:
        yield
    except UserError as error:
        if not _COMMAND_LINE.get():
            error.args = (for_python(str(error)),)
        raise


class SettingError(UserError):
    """A setting is unknown, has a value that it cannot take, or contradicts another."""

    untrusted_file = ""
    """The Python file that was not executed, because the user did not name it."""


class DataError(UserError):
    """A data file does not have the expected format."""


class PromptError(UserError):
    """A prompt or a decoding constraint cannot be satisfied."""


class RunError(UserError):
    """A run folder is missing, damaged, locked, or of another version."""

    disk = False
    """Whether writing to the disk failed; the old content is intact."""


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """The user interrupted the work; progress is saved, and the message says how to continue."""


NEAR = 0.7
"""Similarity from which on a name is suggested: at 0.6 "alone" is near to "none". In names of three
letters one wrong letter is more of the name, so 0.6 has to do there."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the most similar of the `known` names, or list them all if none is similar.

    >>> did_you_mean("lsmt", ["gru", "lstm"])
    'did you mean lstm?'
    >>> did_you_mean("xyz", ["gru", "lstm"])
    'choose from gru, lstm'
    >>> did_you_mean("alone", ["gru", "none"])
    'choose from gru, none'
    """
    # The comparison takes minutes for names of a hundred thousand characters.
    names = sorted(map(shorten, known))
    near = get_close_matches(shorten(name), names, n=1, cutoff=NEAR if len(name) > 3 else 0.6)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
