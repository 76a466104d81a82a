"""The negative log-likelihood of a text: in total, by line, and its most surprising places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ensue.data.codecs.cutting import recut
from ensue.data.contract import Codec, Corpus, Reader
from ensue.evaluation.intervals import Chunks, Interval, intervals
from ensue.evaluation.likelihood import Likelihood, Nats, paid
from ensue.evaluation.line_scores import LineScore, by_line, line_numbers
from ensue.evaluation.surprisal import SurprisingPlace, highest_surprisal


@dataclass(frozen=True)
class TextEvaluation:
    """The negative log-likelihood of a text by symbol, for totals, lines and places."""

    codec: Codec
    corpus: Corpus
    nats: Nats
    """Negative log-likelihood of each symbol, without the spelling of unknown ones."""
    reader: Reader | None = None
    """Reads the files with the text again; None for the test part of a run."""
    notes: tuple[str, ...] = ()
    """Notes on how the files were read."""

    @property
    def likelihood(self) -> Likelihood:
        """Likelihood of the complete text."""
        return Likelihood.of(self.corpus, self.nats)

    @property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the metrics."""
        return intervals(Chunks.of(self.corpus, self.nats), self.likelihood)

    def lines(self) -> list[LineScore]:
        """Compute the cost of each line, including the spelling of unknown symbols."""
        return by_line(paid(self.corpus, self.nats), self._line_numbers(), self.corpus.offsets)

    def surprising(self, count: int = 10) -> list[SurprisingPlace]:
        """Find the places of highest surprisal, the highest first."""
        return highest_surprisal(self.nats, self._line_numbers(), self._text, count=count, apart=20)

    def _text(self, begin: int, end: int) -> str:
        """Decode some symbols; unknown ones are spelled as in the files, if files were given."""
        codec, corpus, pieces = self.codec, self.corpus, []
        first, last = (
            np.searchsorted(corpus.unknown_at, (begin, end)).tolist() if self.reader else (0, 0)
        )
        for at, unknown in zip(
            corpus.unknown_at[first:last].tolist(), self._unknowns[first:last], strict=True
        ):
            pieces += [codec.decode(corpus.ids[begin:at]), unknown]
            begin = at + 1
        pieces = [piece for piece in (*pieces, codec.decode(corpus.ids[begin:end])) if piece]
        return ("" if codec.keeps_blanks else " ").join(pieces)

    def _line_numbers(self) -> np.ndarray:
        codec, corpus = self.codec, self.corpus
        each = np.array([spelling.count(b"\n") for spelling in codec.spellings()])
        if codec.end is not None:
            each[codec.end] = 1
        breaks = each[np.asarray(corpus.ids)]
        if self.reader is None:
            return line_numbers(breaks, corpus.offsets)
        breaks[corpus.unknown_at] = [symbol.count("\n") for symbol in self._unknowns]
        return line_numbers(breaks, corpus.offsets, np.array(self._lines_and_unknowns[0]))

    @property
    def _unknowns(self) -> list[str]:
        return self._lines_and_unknowns[1]

    @cached_property
    def _lines_and_unknowns(self) -> tuple[Sequence[int], list[str]]:
        """Read the line of each record and the unknown symbols again, which ids do not hold."""
        assert self.reader is not None
        codec, pieces = self.codec, self.reader.pieces()
        firsts: Sequence[int] = [1]
        if codec.end is None:
            texts: Iterable[str] = recut((piece.text for piece in pieces), codec.split_point)
        else:
            firsts, texts = zip(*((piece.line, piece.text) for piece in pieces), strict=True)
        return firsts, [symbol for text in texts for symbol, _ in codec.unknowns(text)]

    def to_json(self) -> dict[str, Any]:
        """Convert the metrics to plain JSON values."""
        return self.likelihood.to_json(self.intervals) | (
            {"notes": list(self.notes)} if self.notes else {}
        )
