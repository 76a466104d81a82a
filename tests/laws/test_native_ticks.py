"""A network writes the same text from the compiled kernels as from the eager engine."""

import numpy as np
import pytest
import torch

from ensue import native as wheel
from ensue.cells import CELLS
from ensue.decoding import rollout as writing
from ensue.decoding.constraints.matching import Matching
from ensue.decoding.rollout import collect, rollout
from ensue.decoding.sampling import SamplingSettings
from ensue.decoding.stepper import Rules
from ensue.models.compiled import Compiled, compile_model
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import NgramSettings, estimate
from ensue.models.quantisation import quantise
from ensue.models.sequence import SequenceSettings
from ensue.settings import read

SIZE = 70
"""More than one tile of symbols, and the last not whole."""
native = pytest.mark.skipif(wheel.library() is None, reason="ensue-native is not installed")
FILTERS = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.7, "top_k": 9, "repetition_penalty": 1.3, "repetition_window": 5},
    {"temperature": 1.5, "top_p": 0.8},
    {"min_p": 0.1, "repetition_penalty": 2.0},
    {"typical_p": 0.6, "temperature": 1.2},
    {"top_k": 20, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.9},
    {"top_k": 500, "temperature": 0.01, "repetition_window": 200, "repetition_penalty": 1.01},
]
STACKS = [
    {"depth": 1},
    {"depth": 3, "residual": True, "zoneout": 0.1},
    {"depth": 2, "learn_initial_state": True, "layer_norm": "output"},
    {"depth": 2, "layer_norm": "gates", "residual": True},
]


def network(
    cell: str = "lstm", width: int = 20, embedding: int = 0, tied: bool = False, **body: object
):
    values = {
        "embedding": embedding,
        "body": {"name": "recurrent", "cell": cell, "width": width, **body},
    }
    values["head"] = {"name": "categorical", "tied": tied}
    torch.manual_seed(1)
    model = read(SequenceSettings, values).build(SIZE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # So that the state matters, and the distribution is far from even.
            parameter.add_(
                torch.randn_like(parameter) * (0.02 if cell in ("irnn", "jordan") else 0.1)
            )
    return model


def written(
    model: Autoregressive,
    filters: dict,
    rows: int = 5,
    length: int = 70,
    end: int | None = 3,
    seed: int = 7,
):
    allowed = np.arange(SIZE) != SIZE - 1
    prompts = [np.arange(row % 3, 9 * (row % 3)) for row in range(rows)]
    steps = rollout(model, prompts, SamplingSettings(**filters), Rules(length, allowed, end), seed)
    return collect(steps)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch):
    """Give a function that writes with the kernels and without them, and asserts that the texts
    are the same."""

    def compare(
        model: Autoregressive, *args: object, tolerance: float = 1e-4, **more: object
    ) -> None:
        assert isinstance(compile_model(model), Compiled)
        mine = written(model, *args, **more)
        with monkeypatch.context() as patch:
            patch.setattr(writing, "compile_model", lambda model: model)
            other = written(model, *args, **more)
        assert mine.keys() == other.keys()
        for number, sample in mine.items():
            assert sample.ids.tolist() == other[number].ids.tolist()
            np.testing.assert_allclose(sample.nats, other[number].nats, atol=tolerance)

    return compare


@native
@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_writes_the_same_text(both, cell: str, stack: dict) -> None:
    for embedding, tied in ((0, False), (20, True), (6, True), (9, False)):
        both(network(cell, 20, embedding, tied, **stack), {}, rows=3, length=40)
    both(network(cell, 130, 0, **stack), {}, rows=8, length=12)


@native
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_every_filter_writes_the_same_text(both, filters: dict) -> None:
    for seed in (0, 1, 2**63, -5, 2**70 + 1):
        both(network(), filters, rows=4, seed=seed)
        both(network("gru", 12), filters, rows=1, seed=seed, end=None, length=100)


@native
@pytest.mark.parametrize("weights", ["bf16", "int8"])
@pytest.mark.parametrize("cell", CELLS)
def test_narrow_weights_write_the_text_of_a_rounded_network(both, cell: str, weights: str) -> None:
    for width, rows in ((20, 1), (67, 7)):
        # int8 multiplies by inputs of 15 bits.
        both(
            quantise(network(cell, width, depth=2), weights),
            {},
            rows=rows,
            length=20,
            tolerance=2e-3,
        )


@native
def test_threads_share_one_pass(both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for rows in (1, 2, 13, 40):
        both(network("lstm", 200, depth=2), {}, rows=rows, length=40)
        both(network("gru", 64), {}, rows=rows, length=40)


@native
def test_a_change_of_the_parameters_is_seen(both) -> None:
    model = network()
    both(model, {})
    with torch.no_grad():
        next(model.parameters()).mul_(-1)
    both(model, {})
    for parameter in model.parameters():  # as averaged weights are exchanged in training
        parameter.data = parameter.data * 0.9
    both(model, {})
    model.head.linear.weight.data.mul_(-1)
    both(model, {})
    model.load({name: array * 0.5 for name, array in model.arrays().items()})
    both(model, {})
    assert compile_model(model).ticks is compile_model(model).ticks
    assert compile_model(model.train()) is model


@native
def test_a_pattern_reads_with_the_kernels() -> None:
    model = network()
    matching = Matching("(ab|c)+", [bytes([97 + id]) for id in range(SIZE)])
    rules = Rules(9, np.ones(SIZE, bool), None, matching)
    for number, sample in collect(
        rollout(model, [np.array([1])] * 4, SamplingSettings(), rules, 0)
    ).items():
        text = bytes(97 + sample.ids.astype(np.uint8)).decode()
        assert set(text) <= set("abc"), number


@native
def test_a_mixture_asks_the_kernels_for_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(0, SIZE, 2000)
    weights = torch.tensor([[0.6, 0.1, 0.0, 0.0], [0.4, 0.0, 0.1, 0.0]], dtype=torch.float64)
    counted = estimate(ids, np.array([0, 2000]), SIZE, NgramSettings(order=2))
    for weigh in ("fp32", "int8"):
        mixture = quantise(Mixture(network(), counted, weights), weigh)
        fast = compile_model(mixture)
        assert isinstance(fast, Mixture)
        assert isinstance(fast.network, Compiled)
        mine = written(mixture, {"top_k": 30}, rows=3, length=30)
        with monkeypatch.context() as patch:
            patch.setattr(writing, "compile_model", lambda model: model)
            other = written(mixture, {"top_k": 30}, rows=3, length=30)
        assert {number: one.ids.tolist() for number, one in mine.items()} == {
            number: one.ids.tolist() for number, one in other.items()
        }


def test_rounding_keeps_what_it_says() -> None:
    model = network(embedding=9)
    matrix = model.head.linear.weight
    for weights, error in (("bf16", 2**-8), ("int8", 0.51 / 127)):
        narrow = quantise(model, weights)
        assert narrow.weights == weights
        assert torch.equal(narrow.table.weight, model.table.weight)
        assert torch.equal(narrow.head.linear.bias, model.head.linear.bias)
        difference = (narrow.head.linear.weight - matrix).abs()
        assert 0 < difference.max() <= error * matrix.abs().max()
        again = quantise(narrow, weights)
        torch.testing.assert_close(
            again.head.linear.weight, narrow.head.linear.weight, rtol=1e-6, atol=0
        )
    assert quantise(model, "fp32") is model
    assert model.weights == "fp32"
