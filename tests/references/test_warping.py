"""Dynamic time warping against the recursion as it is written down, cell by cell."""

import itertools

import numpy as np
import pytest
import torch

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import RunError, SettingError
from ensue.models.baselines.dtw import DTW, DTWSettings
from ensue.models.baselines.dtw_kernel import compute_distances, downsample


def by_hand(one: np.ndarray, other: np.ndarray, window: float) -> float:
    radius = max(int(np.ceil(window * max(len(one), len(other)))), abs(len(one) - len(other)))
    table = np.full((len(one) + 1, len(other) + 1), np.inf)
    table[0, 0] = 0
    for i, j in itertools.product(range(len(one)), range(len(other))):
        if abs(i - j) <= radius:
            apart = ((one[i] - other[j]) ** 2).sum()
            table[i + 1, j + 1] = apart + min(table[i, j + 1], table[i + 1, j], table[i, j])
    return np.sqrt(table[-1, -1])


def padded(sequences: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(one) for one in sequences])
    numbers = torch.zeros(
        len(sequences), int(lengths.max()), sequences[0].shape[1], dtype=torch.float64
    )
    for place, one in enumerate(sequences):
        numbers[place, : len(one)] = torch.from_numpy(one)
        numbers[place, len(one) :] = 1e6  # padding counts for nothing
    return numbers, lengths


@pytest.mark.parametrize("window", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("lengths", [(9,), (1, 4, 9, 12)])
def test_distances(window, lengths, monkeypatch):
    monkeypatch.setattr("ensue.models.baselines.dtw_kernel.CELLS", 60)  # several blocks
    draws = np.random.default_rng(3)
    queries, examples = (
        [draws.normal(size=(length, 2)) for length in lengths * 2] for _ in range(2)
    )
    found = compute_distances(*padded(queries), *padded(examples), window)
    expected = [[by_hand(one, other, window) for other in examples] for one in queries]
    assert found.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def examples_of(sequences: list[np.ndarray], labels: list[int]) -> Examples:
    offsets = np.cumsum([0, *map(len, sequences)])
    numbers = np.concatenate(sequences).astype(np.float32)
    return Examples(offsets, {"numbers": numbers}, {"target": np.array(labels)})


def answer(model: DTW, examples: Examples) -> torch.Tensor:
    return model(make_batch(examples, np.arange(len(examples))).map(torch.from_numpy)).probs


def waves(count: int, seed: int) -> tuple[list[np.ndarray], list[int]]:
    draws = np.random.default_rng(seed)
    labels = [place % 2 for place in range(count)]
    times = [np.linspace(0, 1, draws.integers(15, 25)) for _ in labels]
    values = [
        np.sin(2 * np.pi * (1 + 2 * label) * time ** draws.uniform(0.8, 1.2))
        for label, time in zip(labels, times, strict=True)
    ]
    return [np.stack([value, np.full(len(value), 7.0)], 1) for value in values], labels


def test_nearest_neighbours():
    shape = Fields(numbers=2, measured=1)
    model = DTWSettings().build(shape, "multiclass", 2)
    (chosen,) = model.fit(examples_of(*waves(20, 1)))
    assert chosen == (
        f"DTW window, {model.window:g} of the longer sequence: by leave-one-out on the "
        f"training part"
    )
    assert len(model.labels) == 20
    sequences, labels = waves(30, 2)
    other = examples_of(sequences, labels)
    found = answer(model, other)
    assert found.argmax(1).tolist() == labels
    assert found.sum(1).numpy() == pytest.approx(np.ones(30))
    assert float(-found[np.arange(30), labels].log().mean()) < 0.3
    again = DTWSettings().build(shape, "multiclass", 2)
    again.load(model.arrays())
    assert torch.equal(answer(again, other), found)
    assert again.parameter_count == model.parameter_count > 0
    others = DTWSettings().build(Fields(numbers=2, measured=2), "multiclass", 2)
    for wrong, arrays in (
        (others, model.arrays()),
        (again, {**model.arrays(), "labels": np.full(20, 2)}),
        (again, {**model.arrays(), "lengths": np.full(20, 99)}),
        (again, {**model.arrays(), "labels": np.zeros(19, np.int64)}),
        (again, {"labels": np.zeros(20, np.int64)}),
    ):
        with pytest.raises(
            RunError, match="the saved nearest neighbours are of other steps or labels"
        ):
            wrong.load(arrays)


def test_it_says_when_it_keeps_fewer():
    sequences, _ = waves(40, 1)
    model = DTW(DTWSettings(max_cells=4000), channels=1, classes=3)
    _, cut = model.fit(examples_of(sequences, [0] * 39 + [2]))
    kept = len(model.labels)
    assert 3 <= kept < 40
    assert cut == f"DTW compares with {kept} of 40 training examples, to save time"
    assert set(model.labels.tolist()) == {0, 2}
    assert torch.isfinite(answer(model, examples_of(sequences, [0] * 40)).log()).all()


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        (
            Fields({"symbol": 9}),
            "multiclass",
            "model: dtw needs numeric steps, and these have no numbers",
        ),
        (
            Fields(numbers=1, measured=1),
            "regression",
            "model: dtw predicts one label per example",
        ),
    ],
)
def test_where_there_are_no_neighbours(shape, kind, message):
    with pytest.raises(SettingError) as caught:
        DTWSettings().build(shape, kind, 2)
    assert str(caught.value) == f"{message}; choose another model"


def test_long_sequences_are_shortened():
    numbers = torch.arange(10.0)[None, :, None].repeat(2, 1, 1)
    short, lengths = downsample(numbers, torch.tensor([10, 3]), 5)
    assert short[0, :, 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert (short[1, :3, 0].tolist(), lengths.tolist()) == ([0, 1, 2], [5, 3])


def test_what_is_alike_is_at_no_distance_and_alone_nothing_differs():
    draws = torch.Generator().manual_seed(0)
    examples, lengths = 50 + torch.randn(9, 12, 5, generator=draws), torch.full((9,), 12)
    found = compute_distances(examples, lengths, examples, lengths, 0.2)
    assert found.diagonal().tolist() == [0.0] * 9
    for row in range(9):
        assert torch.equal(
            compute_distances(examples[row:][:1], lengths[:1], examples, lengths, 0.2)[0],
            found[row],
        )
