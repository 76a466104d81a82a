"""The encoded parts of a text: a stream of its symbols, and one of how unknown ones are spelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs import load_codec
from ensue.data.contract import Codec, Corpus, Ids
from ensue.data.dataset import Array, Dataset, Examples, check_ids
from ensue.data.split import PARTS, Part

COUNTS = ("characters", "bytes", "words", "tokens")
UNKNOWN = "unknown"
"""The stream of unknown symbols: an example each, its steps the bytes of its spelling."""
Counted = tuple[Ids, NDArray[np.int64]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True)
class TextParts(Dataset):
    """The parts of a text, with the codec. A record is an example, and so is one long text."""

    train: Corpus
    validation: Corpus
    test: Corpus
    codec: Codec
    given: tuple[Part, ...] = ()
    """Parts that have files of their own."""

    def parts(self) -> Iterator[tuple[Part, Corpus]]:
        """Yield each part's name and corpus."""
        yield from zip(PARTS, (self.train, self.validation, self.test), strict=True)

    @property
    def streams(self) -> dict[str, Examples]:
        """The symbols of each part, and its unknown symbols: their places, nats and spellings."""
        found: dict[str, Examples] = {}
        for part, corpus in self.parts():
            found[part] = Examples(corpus.offsets, {"symbol": corpus.ids}, {})
            ends = np.cumsum(corpus.unknown_sizes, dtype=np.int64)
            places = {"at": corpus.unknown_at, "nats": corpus.unknown_nats}
            spelled = {"byte": corpus.unknown_bytes}
            found[f"{part}.{UNKNOWN}"] = Examples(np.append(0, ends), spelled, places)
        return found

    @property
    def codecs(self) -> dict[str, Any]:
        """The codec of the text."""
        return self.codec.to_json()

    def to_json(self) -> dict[str, Any]:
        """Return all but the arrays as plain JSON values."""
        counts = {part: {one: getattr(text, one) for one in COUNTS} for part, text in self.parts()}
        return {"codec": self.codecs, "parts_with_files": list(self.given), "counts": counts}

    @classmethod
    def from_json(
        cls,
        streams: Mapping[str, Examples],
        tables: Mapping[str, Array],
        values: Mapping[str, Any],
    ) -> TextParts:
        """Restore from `to_json`, with ids memory-mapped. Raises ValueError for invalid values."""
        codec, counts = load_codec(values["codec"]), values["counts"]
        parts = {part: _restore(streams, part, counts[part], codec) for part in PARTS}
        return cls(**parts, codec=codec, given=tuple(values["parts_with_files"]))


def _restore(
    streams: Mapping[str, Examples], part: str, counts: Mapping[str, Any], codec: Codec
) -> Corpus:
    """Build a corpus. Raises ValueError for arrays and counts that do not belong to a text."""
    text, unknown, where = streams[part], streams[f"{part}.{UNKNOWN}"], f"of the part {part}"
    ids, at, nats = text.steps["symbol"], unknown.static["at"], unknown.static["nats"]
    check_ids(ids, codec.size, f"the text {where}")
    if codec.end is not None and (text.lengths < 1).any():
        raise ValueError(f"the offsets {where} are not those of its text")
    places = np.append(at, len(ids))
    ascending = places.dtype == np.int64 and places[0] >= 0 and (places[1:] > places[:-1]).all()
    valid = nats.dtype == np.float64 and nats.shape == at.shape and np.isfinite(nats).all()
    if not (ascending and valid and (len(at) == 0 or (ids[at] == codec.unknown).all())):
        raise ValueError(f"the unknown symbols {where} are not those of its text")
    check_ids(unknown.steps["byte"], 256, f"the spellings {where}")
    if any(type(counts[name]) is not int or counts[name] < 0 for name in COUNTS):
        raise ValueError(f"the counts {where} are invalid")
    return Corpus(
        ids=ids,
        offsets=text.offsets,
        **{name: counts[name] for name in COUNTS},
        unknown_at=np.array(at),
        unknown_nats=np.array(nats),
        unknown_bytes=np.array(unknown.steps["byte"]),
        unknown_sizes=unknown.lengths,
    )


def take_last(corpus: Corpus, most: int) -> Counted:
    """Take the last `most` symbols; records are not split."""
    if len(corpus) <= most:
        return corpus.ids, corpus.offsets
    if len(corpus.offsets) == 2:
        return corpus.ids[-most:], np.array([0, most])
    first = int(np.searchsorted(corpus.offsets, len(corpus) - most))
    return corpus.ids[corpus.offsets[first] :], corpus.offsets[first:] - corpus.offsets[first]


def concatenate(first: Counted, second: Counted) -> Counted:
    """Concatenate two texts; each keeps its own beginning."""
    return np.concatenate([first[0], second[0]]), np.concatenate(
        [first[1], second[1][1:] + first[1][-1]]
    )
