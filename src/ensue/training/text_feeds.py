"""The training batches of a text, by the settings of batching."""

from __future__ import annotations

from typing import Any

from ensue.data.contract import Codec, Corpus
from ensue.data.feeds import Feed, Records, Streams, Windows
from ensue.training.settings import AutoBatchingSettings, RecordsSettings, WindowsSettings

LONGEST_RECORD = 512
"""Symbols; a longer record is split into several rows."""


def make_feed(batching: Any, codec: Codec, corpus: Corpus, seed: int) -> Feed:
    """Make the training batches as one of TEXT_BATCHING says."""
    if isinstance(batching, WindowsSettings):
        sizes = batching.batch_size, batching.sequence_length, batching.stride
        return Windows(corpus, codec.start, *sizes, seed, batching.loss_on)
    whole = isinstance(batching, AutoBatchingSettings) and codec.end is not None
    if not whole and not isinstance(batching, RecordsSettings):
        return Streams(corpus, codec.start, batching.batch_size, batching.sequence_length)
    return Records(corpus, codec.start, batching.batch_size, LONGEST_RECORD, seed)
