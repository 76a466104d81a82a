"""The end of a sequence of records: a field of each step, paid for and generated."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ensue.data.codecs.steps import StepCodec
from ensue.data.contract import SILENT
from ensue.data.dataset import Examples, concatenate
from ensue.data.feeds import StepFeed
from ensue.data.steps import StepDataSettings, encode_steps, read_steps
from ensue.decoding.records import continue_records
from ensue.evaluation.step_scoring import score_steps
from ensue.fields import END
from ensue.models.contract import StepModel
from ensue.models.parameters import to_device
from ensue.models.steps.pool import StepPool
from ensue.tasks.generate.steps.settings import MODELS

CONTENTS = [{"note": list(word)} for word in ("aab", "ab", "babba", "b", "abab")]
CODEC = StepCodec.fit(CONTENTS, ends=True)


def encode(contents: list[Any], codec: StepCodec = CODEC) -> Examples:
    steps = [codec.encode(one) for one in contents]
    return concatenate(steps, [{"line": np.int64(1)}] * len(steps))


def made(name: str) -> StepModel:
    torch.manual_seed(1)
    if name == "pool":
        return StepPool([made("network"), made("last-step")], np.array([[0.4], [0.6]]))
    model: Any = MODELS.parts[name]().build(CODEC.fields)  # type: ignore[attr-defined]
    if name == "network":
        return model.eval()
    model.fit(encode(CONTENTS))
    return model


@pytest.mark.parametrize("name", ["network", "last-step", "pool"])
def test_all_sequences_together_have_a_probability_of_one(name: str) -> None:
    """Those of at most three steps, and what has not ended by then: nothing is paid twice."""
    model, total = made(name), 0.0
    symbols = range(len(CODEC.symbols[0].symbols) + 1)
    for count in (1, 2, 3):
        for notes in product(symbols, repeat=count):
            # The unknown symbol of the field of ends is one more that never occurs.
            for ends in product(range(3), repeat=count):
                if 1 in ends[:-1] or (count < 3 and ends[-1] != 1):
                    continue
                steps = {
                    "symbols": np.array([notes, ends], np.uint8).T,
                    "numbers": np.zeros((count, 0), np.float32),
                }
                nats = score_steps(model, concatenate([steps], [{"line": np.int64(1)}]))
                total += float(np.exp(-nats.sum()))
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_the_last_step_alone_is_an_end_and_no_row_says_so() -> None:
    assert [*CODEC.fields.symbols] == CODEC.fields.names == ["note", END]
    steps = CODEC.encode({"note": ["a", "b", "a"]})
    assert steps["symbols"][:, 1].tolist() == [0, 0, 1]
    begun = CODEC.encode({"note": ["a", "b", "a"]}, whole=False)
    assert begun["symbols"][:, 1].tolist() == [0, 0, 0]
    assert CODEC.decode(steps) == [{"note": "a"}, {"note": "b"}, {"note": "a"}]
    assert CODEC.count_unknown(steps) == 0
    assert StepCodec.from_json(CODEC.to_json()) == CODEC
    assert CODEC.length == 10


def test_samples_end_as_often_as_their_probability_says() -> None:
    model = made("last-step")
    found = continue_records(model, None, range(3000), 40, seed=1)
    # Five of 15 steps are ends; after the first step it is five of ten pairs, shrunk to the rate.
    first = 6 / 18 / (6 / 18 + 11 / 18)
    later = (4 + 6 / 18) / (4 + 6 / 18 + 6 + 11 / 18)
    for steps, expected in ((1, first), (2, later), (3, later)):
        left = found.lengths >= steps
        share = (found.lengths[left] == steps).mean()
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / left.sum())
    assert found.ended.mean() > 0.99
    alone = continue_records(model, None, [17], 40, seed=1)
    assert alone.lengths[0] == found.lengths[17]
    assert alone.steps["symbols"].shape[1] == alone.lengths[0]  # nothing is drawn after the end


@pytest.mark.parametrize(("sequences", "ends"), [(12, True), (4, False)])
def test_sequences_that_are_cut_into_parts_have_no_end(
    sequences: int, ends: bool, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    rows = [f"s{n // 30},{n * n % 17}" for n in range(30 * sequences)]
    path.write_text("\n".join(["id,x", *rows]) + "\n")
    data = encode_steps(read_steps([path], StepDataSettings(), 1, SILENT), SILENT)
    assert data.codec.ends == ends
    assert data.codec.length == (60 if ends else 21)
    flags = data["train"].steps["symbols"]
    assert flags.sum() == (len(data["train"]) if ends else 0)


def test_one_long_sequence_gives_samples_of_400_rows() -> None:
    assert StepCodec.fit([{"x": np.arange(5000.0) % 7}]).length == 400


def test_the_end_depends_on_the_fields_of_its_step() -> None:
    """A last note that is heard nowhere else tells it, though nothing before does."""
    draws = np.random.default_rng(1)
    words = ["".join(draws.choice(["a", "b"], draws.integers(1, 8))) + "z" for _ in range(200)]
    contents = [{"note": list(word), "x": draws.normal(size=len(word))} for word in words]
    codec = StepCodec.fit(contents, ends=True)
    assert codec.fields.names == ["note", "x", END]
    torch.manual_seed(1)
    model: Any = MODELS.parts["network"]().build(codec.fields)  # type: ignore[attr-defined]
    data = encode(contents, codec)
    optimiser = torch.optim.AdamW(model.parameters(), 0.003)
    feed = StepFeed(data, rows=32, steps=64, seed=1)
    for epoch in range(8):
        for batch in feed.epoch(epoch):
            loss, _ = model.loss(to_device(batch, torch.device("cpu")))
            optimiser.zero_grad()
            (loss.cost.sum() / loss.count.sum()).backward()
            optimiser.step()
    nats = score_steps(model.eval(), data)
    assert nats[:, 2].mean() < 0.05  # and 0.5 from its frequency alone
    found = continue_records(model, None, range(50), 60, seed=1)
    rows = [
        codec.decode({k: a[n, :c] for k, a in found.steps.items()})
        for n, c in enumerate(found.lengths)
    ]
    assert np.mean([one[-1]["note"] == "z" for one in rows]) > 0.9
