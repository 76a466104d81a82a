"""What every feed obeys: each target once, with the symbol before it, in an order known from
seed and epoch."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.data.contract import Corpus
from ensue.data.feeds import Feed, Records, ScoringFeed, Streams, Windows
from ensue.data.feeds.contract import make_generator
from ensue.data.feeds.windows import permute

START = 1000
TEXT, MANY = [23], [3, 1, 12, 7, 1, 5, 2]


def corpus(lengths: list[int]) -> Corpus:
    """A corpus in which the id of each symbol is its place."""
    offsets = np.cumsum([0, *lengths])
    none = np.empty(0, np.int64)
    return Corpus(
        np.arange(offsets[-1], dtype=np.uint16), offsets, 0, 0, 0, none, none.astype(float)
    )


def feed_over(name: str, data: Corpus, rows: int = 3, steps: int = 4, seed: int = 5) -> Feed:
    make = {
        "streams": lambda: Streams(data, START, rows, steps),
        "windows": lambda: Windows(data, START, rows, steps, 3, seed, "all"),
        "records": lambda: Records(data, START, rows, steps, seed),
        "passage": lambda: ScoringFeed(data, START, rows, steps),
    }
    return make[name]()


def same(one, other) -> bool:
    fields = all((one[name] == other[name]).all() for name in one.fields)
    return fields and (one.lengths == other.lengths).all() and (one.fresh == other.fresh).all()


LENGTHS = {
    "streams": [TEXT],
    "windows": [TEXT],
    "records": [MANY, TEXT],
    "passage": [TEXT, MANY, [4, 4, 8]],
}
CASES = [(name, lengths) for name in LENGTHS for lengths in LENGTHS[name]]


@pytest.mark.parametrize(("name", "lengths"), CASES)
@given(rows=st.integers(1, 40), steps=st.integers(1, 30), epoch=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_an_epoch_has_every_target_once_and_what_came_before_it(name, lengths, rows, steps, epoch):
    data = corpus(lengths)
    feed = feed_over(name, data, rows, steps)
    batches = list(feed.epoch(epoch))
    assert len(batches) == len(feed)
    seen: Counter[int] = Counter()
    for batch in batches:
        time = batch["target"].shape[1]
        assert batch["input"].shape == (len(batch.lengths), time) == batch["target"].shape
        assert batch["input"].dtype == batch["target"].dtype == np.int64
        assert batch.lengths.min() >= 1
        assert batch.lengths.max() == time <= (steps + 1 if name == "streams" else steps)
        assert len(batch.lengths) <= rows
        real = np.arange(time) < batch.lengths[:, None]
        target, input = batch["target"][real], batch["input"][real]
        assert (batch["target"][~real] == 0).all()
        assert (batch["input"][~real] == 0).all()
        starts = np.isin(target, data.offsets)
        assert (input[starts] == START).all()
        assert (input[~starts] == target[~starts] - 1).all()
        seen.update(target.tolist())
    if name == "windows":
        assert set(seen) == set(range(len(data))) or steps < 3
    else:
        assert seen == Counter(range(len(data)))


@pytest.mark.parametrize(("name", "lengths"), CASES)
def test_an_epoch_may_begin_at_any_batch(name, lengths):
    feed = feed_over(name, corpus(lengths))
    whole = list(feed.epoch(2))
    assert len(whole) > 1
    for first in range(len(whole) + 1):
        rest = list(feed_over(name, corpus(lengths)).epoch(2, first))
        assert len(rest) == len(whole) - first
        assert all(same(one, other) for one, other in zip(rest, whole[first:], strict=True))


@pytest.mark.parametrize(("name", "lengths"), CASES)
def test_rows_go_on_where_they_are_not_fresh(name, lengths):
    last = None
    for batch in feed_over(name, corpus(lengths)).epoch(0):
        for row in np.flatnonzero(~batch.fresh):
            assert len(last["target"]) == len(batch["target"])
            assert last["target"][row, last.lengths[row] - 1] == batch["input"][row, 0]
        last = batch


@pytest.mark.parametrize(("name", "lengths"), [("windows", TEXT), ("records", MANY)])
def test_order_comes_from_seed_and_epoch_alone(name, lengths):
    def targets(seed: int, epoch: int) -> list[list[int]]:
        feed = feed_over(name, corpus(lengths), rows=1, seed=seed)
        np.random.default_rng()  # and from no generator of anybody else
        return [batch["target"][0].tolist() for batch in feed.epoch(epoch)]

    assert targets(5, 0) == targets(5, 0)
    assert targets(5, 0) != targets(5, 1)
    assert targets(5, 0) != targets(6, 0)
    assert sorted(targets(5, 0)) == sorted(targets(6, 1))


def test_streams_are_all_fresh_at_the_beginning_and_only_there():
    fresh = [batch.fresh.tolist() for batch in feed_over("streams", corpus(TEXT)).epoch(0)]
    assert fresh == [[True] * 3, [False] * 3]


def test_passage_names_the_place_of_each_target():
    data = corpus(MANY)
    for batch in feed_over("passage", data).epoch(0):
        real = batch["at"] >= 0
        assert (batch["at"][real] == batch["target"][real]).all()
        assert real.sum() == batch.lengths.sum()
        records = np.searchsorted(data.offsets, batch["at"][:, 0], "right") - 1
        assert len(set(records.tolist())) == len(batch.lengths)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 1000])
def test_shuffled_is_a_permutation(count):
    assert sorted(permute(np.arange(count), count, make_generator(0, 0)).tolist()) == list(
        range(count)
    )


def test_shuffled_is_as_mixed_as_a_drawn_permutation():
    count = 20_000
    order = permute(np.arange(count), count, make_generator(3, 1))
    steps = np.array([abs(one - other) for one, other in pairwise(order.tolist())])
    assert (
        abs(steps.mean() - count / 3) < 0.02 * count
    )  # the mean distance of two places drawn at random
    assert abs(np.corrcoef(order, np.arange(count))[0, 1]) < 0.03
    assert (order == np.arange(count)).sum() < 10
