"""Feed of full examples in random order, with similar lengths in a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ensue.batch import Batch
from ensue.data.dataset import Examples
from ensue.data.feeds.contract import Arrays, Feed, LengthBuckets


class ExampleFeed(Feed):
    """Each row is one example: step fields (batch, time, ...), zero past its length; static fields.

    The target belongs to the row, or to each of its steps.
    """

    def __init__(self, examples: Examples, rows: int, seed: int) -> None:
        self.examples, self.buckets = examples, LengthBuckets(examples.lengths, rows, seed)
        # What has a target each: the log of training counts these.
        self.unit = "words" if "target" in examples.steps else "examples"

    def __len__(self) -> int:
        return len(self.buckets)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return one batch of examples in the order of this epoch."""
        return make_batch(self.examples, self.buckets.batch(epoch, place))


def iterate_sorted(examples: Examples, rows: int) -> Iterator[tuple[Arrays, Batch[Arrays]]]:
    """Yield all examples once, sorted by length: the indices of each batch, and the batch."""
    order = np.argsort(examples.lengths, kind="stable")
    for begin in range(0, len(order), rows):
        chosen = order[begin : begin + rows]
        yield chosen, make_batch(examples, chosen)


def make_batch(examples: Examples, rows: Arrays) -> Batch[Arrays]:
    """Build a batch of the given examples."""
    lengths = examples.lengths[rows]
    longest = max(int(lengths.max()), 1)
    real = np.arange(longest) < lengths[:, None]
    places, _ = examples.places(rows)
    fields: dict[str, Arrays] = {}
    for name, field in examples.steps.items():
        padded = np.zeros((len(rows), longest, *field.shape[1:]), _widen(field.dtype))
        padded[real] = field[places]
        fields[name] = padded
    fields |= {
        name: np.asarray(field[rows]).astype(_widen(field.dtype))
        for name, field in examples.static.items()
    }
    if "target" not in examples.steps:
        fields["counted"] = np.ones((len(rows), 1), bool)
    return Batch(fields, lengths, np.ones(len(rows), bool))


def _widen(kind: np.dtype) -> np.dtype:
    """Return the type that networks take: ids are stored in as few bytes as possible."""
    if kind.kind in "iu":
        return np.dtype(np.int64)
    return np.dtype(np.float32) if kind.kind == "f" else kind
