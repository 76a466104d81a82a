"""What encoded examples obey: each is fed once an epoch, padded with nothing that counts, and is
kept as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensue.cache import SUMS, Cache
from ensue.data.dataset import CONTENTS, Examples, load_examples, save_examples
from ensue.data.feeds import ExampleFeed, iterate_sorted
from ensue.errors import RunError


def examples_of(lengths: list[int]) -> Examples:
    offsets = np.cumsum([0, *lengths])
    steps = {
        "symbol": np.arange(1, offsets[-1] + 1, dtype=np.uint16),
        "value": np.ones((offsets[-1], 2), np.float32),
    }
    return Examples(offsets, steps, {"target": np.arange(len(lengths), dtype=np.uint8)})


LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=30)


@given(lengths=LENGTHS, rows=st.integers(1, 9), epoch=st.integers(0, 3))
def test_an_epoch_has_each_example_once(lengths, rows, epoch):
    examples = examples_of(lengths)
    feed = ExampleFeed(examples, rows, seed=3)
    batches = list(feed.epoch(epoch))
    assert len(batches) == len(feed)
    seen = {}
    for batch in batches:
        for row, target in enumerate(batch["target"].tolist()):
            length = batch.lengths[row]
            seen[target] = batch["symbol"][row, :length].tolist()
            assert not batch["symbol"][row, length:].any()
            assert not batch["value"][row, length:].any()
    wanted = {i: list(range(begin + 1, end + 1)) for i, (begin, end) in enumerate(bounds(examples))}
    assert seen == wanted
    assert sum(batch.counts.sum() for batch in batches) == len(lengths)


def bounds(examples: Examples) -> list[tuple[int, int]]:
    return list(zip(examples.offsets[:-1].tolist(), examples.offsets[1:].tolist(), strict=True))


@given(lengths=LENGTHS, rows=st.integers(1, 9), first=st.integers(0, 9))
def test_an_epoch_goes_on_from_any_batch_and_differs_from_the_next(lengths, rows, first):
    feed = ExampleFeed(examples_of(lengths), rows, seed=3)
    whole = [batch["target"].tolist() for batch in feed.epoch(1)]
    assert [
        batch["target"].tolist()
        for batch in ExampleFeed(examples_of(lengths), rows, seed=3).epoch(1, first)
    ] == whole[first:]


def test_epochs_and_seeds_differ():
    examples = examples_of([3] * 40)
    orders = {
        str([batch["target"].tolist() for batch in ExampleFeed(examples, 4, seed).epoch(epoch)])
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_in_order_gives_each_example_with_its_number():
    examples = examples_of([5, 1, 3, 2, 2])
    found = [
        (numbers.tolist(), batch["target"].tolist())
        for numbers, batch in iterate_sorted(examples, 2)
    ]
    assert found == [([1, 3], [1, 3]), ([4, 2], [4, 2]), ([0], [0])]


def test_steps_with_targets_are_what_is_counted():
    examples = Examples(np.array([0, 2, 5]), {"target": np.arange(5)}, {})
    batch = next(iter(ExampleFeed(examples, 2, 0).epoch(0)))
    assert sorted(batch.counts.tolist()) == [2, 3]


def test_what_is_kept_comes_back(tmp_path):
    examples = examples_of([2, 0, 3])
    save_examples(
        {"train": examples, "test": examples.select(np.array([2]))},
        {"codec": {"a": 1}},
        begun(tmp_path),
    )
    found = load_examples(tmp_path / "cache")
    assert found is not None
    parts, _, values = found
    assert values == {"codec": {"a": 1}}
    assert parts["train"].steps["symbol"].tolist() == [1, 2, 3, 4, 5]
    assert parts["test"].steps["symbol"].tolist() == [3, 4, 5]
    assert parts["test"].static["target"].tolist() == [2]


def begun(folder):
    cache = Cache(folder / "cache")
    cache.begin()
    return cache


def test_what_was_not_finished_is_not_there(tmp_path):
    cache = begun(tmp_path)
    assert load_examples(cache.folder) is None
    save_examples({"train": examples_of([2, 1])}, {}, cache)
    (cache.folder / SUMS).unlink()
    assert load_examples(cache.folder) is None


@pytest.mark.parametrize("damage", ["no contents", "half a file", "one bit", "no JSON", "no sums"])
def test_what_is_damaged_is_told(tmp_path, damage):
    cache = begun(tmp_path)
    save_examples({"train": examples_of([2, 1])}, {}, cache)
    path = cache.folder / (
        "train.steps.value.npy" if damage in ("half a file", "one bit") else CONTENTS
    )
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    if damage == "no contents":
        path.unlink()
    elif damage == "no sums":
        (cache.folder / SUMS).write_text("[" * 100_000)
    else:
        path.write_bytes({"half a file": data[:-9], "one bit": data, "no JSON": b"["}[damage])
    with pytest.raises(RunError, match=r"the file is (missing|damaged)"):
        load_examples(cache.folder)
