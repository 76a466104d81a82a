"""A prompt of a text: its ids, the text that continues it, and the rules for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.contract import Codec, Ids
from ensue.decoding.constraints.matching import Matching, only
from ensue.decoding.rollout import Step, stop_at
from ensue.decoding.stepper import Rules
from ensue.errors import PromptError


@dataclass(frozen=True)
class Prompt:
    """A text that a model continues, with the codec of the model."""

    codec: Codec
    text: str

    @property
    def ids(self) -> Ids:
        """The ids that the model reads before it generates.

        A model of one long text has a single beginning, which is a poor place to start a sample.
        Without a prompt it continues after a line break instead.
        """
        if self.text or self.codec.end is not None:
            return self.codec.encode(self.text)
        ids = self.codec.encode("\n")
        return ids[ids != self.codec.unknown] if self.codec.unknown is not None else ids

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Decode ids as a continuation, with a blank before them if needed."""
        before = self.ids
        if self.codec.keeps_blanks or not len(before):
            return self.codec.decode(ids)
        text = self.codec.decode([*before.tolist(), *ids])[len(self.codec.decode(before)) :]
        return text.removeprefix(" ") if self.text[-1:].isspace() else text

    def pieces(self, steps: Iterable[Step], stop: str) -> Iterator[str]:
        """Decode the steps of one sample piece by piece, each piece as soon as it is certain."""
        ids, sent = list[int](), ""
        for step in steps:
            ids += step.ids.tolist()
            text = cut_after(self.decode(ids), stop)
            # The end is held back: a character may take several symbols, and a stop text may begin.
            held = max(len(stop) - 1, 0) + (1 if text.endswith("\ufffd") else 0)
            certain = text if step.finished.any() else text[: max(len(text) - held, len(sent))]
            if certain != sent:
                yield certain[len(sent) :]
                sent = certain

    @property
    def omits_blank(self) -> bool | None:
        """Whether `decode` omits the blank before the first word; None if blanks are symbols."""
        if self.codec.keeps_blanks:
            return None
        before = self.codec.decode(self.ids)
        return self.text[-1:].isspace() or before[-1:] in ("", "\n")

    def rules(
        self, length: int, stop: str = "", allowed_characters: str = "", regex: str = ""
    ) -> Rules:
        """Make the rules for continuations. Raises PromptError if none can satisfy them."""
        codec = self.codec
        if allowed_characters and regex:
            raise PromptError(
                "allowed characters and a regular expression cannot be combined",
                hint="give one of them",
            )
        pattern, matching = only(allowed_characters) if allowed_characters else regex, None
        if pattern:
            matching = Matching(pattern, codec.spellings(), codec.end, self.omits_blank)
        if allowed_characters and matching and (matching.following(0) < 0).all():
            what = f"none of the characters {allowed_characters!r} was seen in training"
            raise PromptError(what, where="--allowed-characters", hint="allow some that were")
        allowed = np.ones(codec.size, dtype=bool)
        if codec.unknown is not None:
            allowed[codec.unknown] = False
        stops = stop_at(stop, codec.decode) if stop else None
        return Rules(length, allowed, codec.end, matching, stops)


def cut_after(text: str, stop: str) -> str:
    """Cut a text after its stop string, which the last symbol may extend beyond.

    >>> cut_after("to be. Or", "."), cut_after("to be", "")
    ('to be.', 'to be')
    """
    at = text.find(stop) if stop else -1
    return text if at < 0 else text[: at + len(stop)]
