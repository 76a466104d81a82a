"""Feeds: batches of arrays in an order that depends only on the seed and the epoch."""

from ensue.data.feeds.contract import Feed
from ensue.data.feeds.examples import ExampleFeed, iterate_sorted, make_batch
from ensue.data.feeds.records import Records
from ensue.data.feeds.scoring import ScoringFeed
from ensue.data.feeds.steps import StepFeed
from ensue.data.feeds.streams import Streams
from ensue.data.feeds.windows import Windows

__all__ = [
    "ExampleFeed",
    "Feed",
    "Records",
    "ScoringFeed",
    "StepFeed",
    "Streams",
    "Windows",
    "iterate_sorted",
    "make_batch",
]
