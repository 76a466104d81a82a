"""Laws of models over records: causal, resumable, proper, and the same in any unit or batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ensue.data.codecs.steps import StepCodec
from ensue.data.contract import SILENT, Listener
from ensue.data.dataset import Examples, concatenate
from ensue.data.feeds import StepFeed
from ensue.data.feeds.steps import WARMUP
from ensue.data.steps import StepDataSettings, encode_steps, read_steps
from ensue.decoding.nearest import find_nearest
from ensue.decoding.records import continue_records
from ensue.errors import DataError
from ensue.evaluation.step_scoring import measure_steps, score_steps
from ensue.fields import Fields, Number
from ensue.heads.numbers import CONTINUOUS
from ensue.models.contract import StepModel
from ensue.models.parameters import to_device
from ensue.models.steps.pool import StepPool
from ensue.settings import read
from ensue.tasks.generate.steps.settings import MODELS

FIELDS = Fields({"pitch": 4}, {"x": Number(2.0, 0.3), "y": Number()})
NETWORKS = {name: {"head": {"numbers": {"name": name}}, "dropout": 0.0} for name in CONTINUOUS}
FITTED = [name for name in MODELS.parts if name != "network"]


def examples(lengths: tuple[int, ...] = (9, 4, 30), seed: int = 3) -> Examples:
    draws = np.random.default_rng(seed)
    steps = [
        {
            "symbols": draws.integers(0, 3, (length, 1)).astype(np.uint8),
            "numbers": draws.normal(size=(length, 2)).cumsum(0).astype(np.float32) / 3,
        }
        for length in lengths
    ]
    return concatenate(steps, [{"line": np.int64(1 + 100 * n)} for n in range(len(steps))])


def made(name: str) -> StepModel:
    torch.manual_seed(5)
    if name == "pool":
        return StepPool([made(one) for one in ("student", "ridge")], np.array([[0.3], [0.7]]))
    if name in FITTED:
        model: Any = MODELS.parts[name]().build(FIELDS)  # type: ignore[attr-defined]
        model.fit(examples((40, 60, 25), seed=9))
        return model
    settings: Any = read(MODELS.parts["network"], NETWORKS[name])
    return settings.build(FIELDS).eval()


def log_probs(model: StepModel, steps: dict[str, torch.Tensor], state: Any, last: Any) -> Any:
    inputs = {name: torch.cat([last[name], one[:, :-1]], 1) for name, one in steps.items()}
    with torch.no_grad():
        distribution, state = model(inputs, state)
        return distribution.log_prob(steps), state


def one_row(data: Examples, row: int) -> dict[str, torch.Tensor]:
    begin, end = data.offsets[row : row + 2]
    steps = {name: torch.from_numpy(data.steps[name][begin:end])[None] for name in data.steps}
    return {"symbols": steps["symbols"].long(), "numbers": steps["numbers"]}


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_the_future_changes_nothing_and_the_state_resumes(name: str) -> None:
    model, steps = made(name), one_row(examples(), 2)
    whole, _ = log_probs(model, steps, model.initial(1), model.start(1))
    parts, state, last = [], model.initial(1), model.start(1)
    for begin, end in ((0, 1), (1, 7), (7, 30)):
        piece = {key: one[:, begin:end] for key, one in steps.items()}
        found, state = log_probs(model, piece, state, last)
        parts.append(found)
        last = {key: one[:, -1:] for key, one in piece.items()}
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-4)
    other = {key: one.clone() for key, one in steps.items()}
    other["numbers"][:, 20:], other["symbols"][:, 20:] = 7.0, 0
    changed, _ = log_probs(model, other, model.initial(1), model.start(1))
    torch.testing.assert_close(changed[:, :20], whole[:, :20], rtol=0, atol=0)


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_scores_depend_on_no_batch_and_no_padding(name: str) -> None:
    model, data = made(name), examples()
    nats = score_steps(model, data)
    for row in range(len(data)):
        alone, _ = log_probs(model, one_row(data, row), model.initial(1), model.start(1))
        begin, end = data.offsets[row : row + 2]
        np.testing.assert_allclose(nats[begin:end].sum(1), -alone[0], rtol=1e-4, atol=1e-4)
    measured = measure_steps(nats, data)
    low, high = measured.intervals["nats_per_step"]
    assert measured.sizes is not None
    assert measured.sizes.tolist() == [9, 4, 20, 10]
    np.testing.assert_allclose(measured.losses[2], nats[13:33].sum())
    assert low <= nats.sum(1).mean() <= high


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_a_step_has_a_proper_distribution(name: str) -> None:
    """Summed over all symbols, and integrated over y for a given x, it is the density of x."""
    model, steps = made(name), one_row(examples(), 1)
    with torch.no_grad():
        distribution, _ = model(steps, model.initial(1))
    y = torch.linspace(-100, 100, 20_001)
    total = 0.0
    for pitch in range(4):
        given = {
            "symbols": torch.full((1, 4, 1), pitch).repeat(len(y), 1, 1)[:, :1],
            "numbers": torch.stack([torch.zeros(len(y)), y], -1)[:, None],
        }
        with torch.no_grad():
            here, _ = model(
                {key: one[:, :1].expand(len(y), -1, -1) for key, one in steps.items()},
                model.initial(len(y)),
            )
            costs = [cost[:, 0].double() for cost, _ in here.costs(given)]
        np.testing.assert_allclose(float((-costs[2]).exp().sum() * (y[1] - y[0])), 1, rtol=5e-3)
        total += float((-costs[0][0]).exp())
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert distribution.log_prob(steps).shape == (1, 4)


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_samples_follow_the_distribution(name: str) -> None:
    model = made(name)
    count = 4000
    with torch.no_grad():
        first, _ = model(
            {key: one.expand(count, -1, -1) for key, one in model.start(1).items()},
            model.initial(count),
        )
        numbers = torch.from_numpy(np.random.default_rng(1).uniform(1e-9, 1, (count, 1, 3, 2)))
        drawn = first.draw(numbers)
        nats = -first.log_prob(drawn)
    assert drawn["symbols"].max() <= 2  # the unknown symbol is never drawn
    costs = [cost.detach() for cost, _ in first.costs(drawn)]
    # The probability of a symbol is the share of the samples that have it.
    for pitch in range(3):
        share = float((drawn["symbols"] == pitch).double().mean())
        expected = {
            float((-costs[0][at]).exp()) for at in (drawn["symbols"][:, 0, 0] == pitch).nonzero()
        }
        unknown = 1 - sum(
            float((-costs[0][at]).exp())
            for at in [(drawn["symbols"][:, 0, 0] == one).nonzero()[0] for one in range(3)]
        )
        assert abs(share - min(expected) / (1 - unknown)) < 0.04
    assert torch.isfinite(nats).all()


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_a_sample_depends_on_its_number_and_seed_alone(name: str) -> None:
    model, prompt = made(name), {key: one[:4] for key, one in examples().steps.items()}
    crowd = continue_records(model, prompt, range(5), 6, seed=3)
    alone = continue_records(model, prompt, [4], 6, seed=3)
    other = continue_records(model, prompt, [4], 6, seed=4)
    np.testing.assert_allclose(crowd.steps["numbers"][4], alone.steps["numbers"][0], atol=1e-4)
    assert (crowd.steps["symbols"][4] == alone.steps["symbols"][0]).all()
    assert not np.allclose(alone.steps["numbers"], other.steps["numbers"])
    np.testing.assert_allclose(crowd.nats[4], alone.nats[0], atol=1e-3)


@pytest.mark.parametrize("name", [*NETWORKS, *FITTED, "pool"])
def test_without_temperature_the_seed_does_not_matter(name: str) -> None:
    model = made(name)
    one, two = (continue_records(model, None, [0], 5, seed, 0.0) for seed in (1, 2))
    np.testing.assert_allclose(one.steps["numbers"], two.steps["numbers"], atol=1e-4)
    assert (one.steps["symbols"] == two.steps["symbols"]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns_and_warm_up_counts_nothing(name: str) -> None:
    model: Any = made(name).train()  # type: ignore[attr-defined]
    feed = StepFeed(examples((70,)), rows=8, steps=30, seed=1)
    batch = feed.batch(0, 0)
    assert sorted(batch.lengths.tolist()) == [10 + WARMUP, 30, 30 + WARMUP]
    assert int(batch["counted"].sum()) == 70
    loss, _ = model.loss(to_device(batch, torch.device("cpu")))
    assert int(loss.count.sum()) == 70
    loss.cost.sum().backward()
    idle = [key for key, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert idle == []


def test_pieces_of_one_sequence_cost_what_it_costs() -> None:
    model, data = made("gaussian"), examples((9, 4, 30))
    (batch,) = StepFeed(data, rows=8, steps=64, seed=1).epoch(0)
    loss, _ = model.loss(to_device(batch, torch.device("cpu")))
    np.testing.assert_allclose(
        float(loss.nats.detach().sum()), score_steps(model, data).sum(), rtol=1e-4
    )


def test_the_unit_of_the_data_shifts_nats_by_its_logarithm() -> None:
    draws = np.random.default_rng(2)
    x = draws.normal(size=200).cumsum()
    nats = []
    for unit in (1.0, 1000.0):
        codec = StepCodec.fit([{"x": x * unit}])
        torch.manual_seed(1)
        model: Any = MODELS.parts["network"]().build(codec.fields)  # type: ignore[attr-defined]
        data = concatenate([codec.encode({"x": x * unit})], [{"line": np.int64(1)}])
        nats.append(score_steps(model.eval(), data).mean())
    np.testing.assert_allclose(nats[1] - nats[0], np.log(1000), rtol=1e-4)


def test_the_baselines_are_what_they_say() -> None:
    """Against the densities of SciPy, by brute force."""
    from scipy import stats

    data = examples()
    x = np.float64(data.steps["numbers"][13:, 0])
    for name, expected in (
        ("last-step", x[:-1]),
        ("linear-extrapolation", np.append(x[0], 2 * x[1:-1] - x[:-2])),
    ):
        model: Any = made(name)
        freedom, scale = (model.arrays()[one][0] for one in ("freedom", "scale"))
        nats = score_steps(model, data)[13:, 1]
        logs = stats.t(freedom, expected, scale).logpdf(x[1:])
        np.testing.assert_allclose(nats[1:], np.log(2.0) - logs, rtol=1e-5)
        np.testing.assert_allclose(nats[0], np.log(2.0) - stats.t(1000).logpdf(x[0]), rtol=1e-5)


def test_a_codec_brings_rows_back(tmp_path: Path) -> None:
    rows = [{"pitch": "CE"[n % 2], "x": n / 8, "big": 1e12 + n} for n in range(40)]
    codec = StepCodec.fit(
        [
            {
                name: [row[name] for row in rows]
                if name == "pitch"
                else np.array([row[name] for row in rows])
                for name in rows[0]
            }
        ]
    )
    content = {name: [row[name] for row in rows] for name in rows[0]}
    assert codec.decode(codec.encode(content)) == [
        {"pitch": row["pitch"], "x": row["x"], "big": row["big"]} for row in rows
    ]
    assert StepCodec.from_json(codec.to_json()) == codec
    unknown = codec.encode({"pitch": ["C", "Z"], "x": [0, 1], "big": [0, 1]})
    assert codec.count_unknown(unknown) == 1
    with pytest.raises(DataError, match="no column 'pitch'"):
        codec.encode({"x": [1.0]})


def table(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_columns_are_found_by_what_they_hold(tmp_path: Path) -> None:
    rows = "".join(f"b{n // 12},{n % 12},{n * 7 % 11},{'CEG'[n % 3]}\n" for n in range(240))
    told: list[str] = []
    read = read_steps(
        [table(tmp_path, "ball,frame,x,note\n" + rows)],
        StepDataSettings(),
        1,
        Listener(lambda finding: told.append(str(finding))),
    )
    assert (read.table.id, read.table.time) == ("ball", "frame")
    assert (read.table.value, read.table.symbol) == (("x",), ("note",))
    assert {part: len(own) for part, own in read.parts.items()} == {
        "train": 14,
        "validation": 2,
        "test": 4,
    }
    assert any("read with id 'ball', time 'frame'" in one for one in told)


def test_one_sequence_is_cut_by_position(tmp_path: Path) -> None:
    text = "x\n" + "".join(f"{n * n % 101}\n" for n in range(100))
    data = encode_steps(read_steps([table(tmp_path, text)], StepDataSettings(), 1, SILENT), SILENT)
    assert {part: int(one.offsets[-1]) for part, one in data.parts.items()} == {
        "train": 70,
        "validation": 10,
        "test": 20,
    }
    rows = data.codec.decode(data["test"].steps)
    assert [row["x"] for row in rows] == [n * n % 101 for n in range(80, 100)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "id,x\n" + "a,1\na,\n" * 30,
            ":3: column 'x' is empty in this row; correct it, or remove the row",
        ),
        ("x\n1\n2\n3\n", "3 steps are too few to train on and to test"),
    ],
)
def test_tables_that_cannot_be_used(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        encode_steps(read_steps([table(tmp_path, text)], StepDataSettings(), 1, SILENT), SILENT)


def test_a_copy_is_found_and_where_it_stands() -> None:
    data = examples((50, 60))
    copy = {name: array[60:95] for name, array in data.steps.items()}
    found = find_nearest(copy, data)
    assert found is not None
    assert (found.distance, found.steps, found.line, found.step) == (0, 32, 101, 11)
    assert found.to_json()["copied"]
    moved = {"numbers": copy["numbers"] + 0.5, "symbols": copy["symbols"]}
    near = find_nearest(moved, data)
    assert near is not None
    assert 0 < near.distance <= 0.5
    assert not near.to_json()["copied"]


def test_a_pool_is_the_mean_of_the_densities_of_its_members() -> None:
    data = examples()
    nats = [score_steps(made(name), data).sum(1) for name in ("pool", "student", "ridge")]
    expected = np.log(0.3 * np.exp(-nats[1]) + 0.7 * np.exp(-nats[2]))
    np.testing.assert_allclose(-nats[0], expected, rtol=1e-5)


def test_dates_order_the_steps_and_are_no_symbols(tmp_path: Path) -> None:
    path = tmp_path / "temperatures.csv"
    rows = [f"2020-{1 + day // 28:02}-{1 + day % 28:02},{day % 7}" for day in range(60)]
    path.write_text("\n".join(["Date,Temp", *rows]) + "\n")
    found = read_steps([path], StepDataSettings(), 1, SILENT)
    assert (found.table.time, found.table.value, found.table.symbol) == ("Date", ("Temp",), ())


def test_numbers_come_back_in_their_own_size_and_constants_as_they_are() -> None:
    codec = StepCodec.fit([{"tiny": np.array([1e-300, 3e-300]), "same": np.array([5.0, 5.0])}])
    steps = codec.encode({"tiny": [3e-300], "same": [5.0]})
    (row,) = codec.decode({**steps, "numbers": steps["numbers"] + np.array([0.0, 7.0])})
    assert row["tiny"] == pytest.approx(3e-300, rel=1e-6)
    assert row["same"] == 5.0


@pytest.mark.parametrize("value", ["a", None, float("nan"), float("inf"), 1e300])
def test_what_is_no_number_of_the_data_is_refused(value: Any) -> None:
    codec = StepCodec.fit([{"x": np.array([1.0, 2.0, 4.0])}])
    with pytest.raises(DataError, match="'x'"):
        codec.encode({"x": [value]})


@pytest.mark.parametrize("name", FITTED)
def test_sequences_of_one_step(name: str) -> None:
    model: Any = MODELS.parts[name]().build(FIELDS)  # type: ignore[attr-defined]
    model.fit(examples((1, 1, 1)))
    assert np.isfinite(score_steps(model, examples((1, 2)))).all()
