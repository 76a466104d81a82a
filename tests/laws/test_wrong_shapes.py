"""What does not fit is one ValueError that names the shapes: never silence, and never the end of
the process."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ensue.batch import Batch
from ensue.cells import CELLS
from ensue.engine import native, packed_paths, start, trace
from ensue.engine.layout import Layout
from ensue.layers import BidirectionalSettings, ConvolutionSettings, Recurrent, WindowSettings
from ensue.layers.pooling import Pooling
from ensue.models.compiled import Compiled, compile_model
from ensue.models.ngram import NgramSettings, count, estimate
from ensue.models.sequence import SequenceSettings


def found_by(seed: int, count: int) -> str:
    program = [
        sys.executable,
        str(Path(__file__).with_name("wrong_calls.py")),
        str(seed),
        str(count),
    ]
    done = subprocess.run(program, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_calls_that_do_not_fit_are_refused() -> None:
    assert found_by(seed=1, count=300) == ""


@pytest.mark.slow
def test_thousands_of_calls_that_do_not_fit_are_refused() -> None:
    assert found_by(seed=2, count=6000) == ""


def x(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape)


def lengths(*given: int) -> torch.Tensor:
    return torch.tensor(given)


NET = Recurrent("gru", inputs=3, width=8)
BOTH = BidirectionalSettings(width=8).build(3)
CONVOLUTION = ConvolutionSettings(width=8).build(3)
WINDOW = WindowSettings(window=3, width=8).build(3)
POOLING = Pooling("mean", 3)
MESSAGES: list[tuple[Any, tuple, str]] = [
    (
        NET,
        (x(4, 5, 3), NET.initial(1)),
        "the state[0]['h'] is (1, 8), and x of 4 rows needs (4, 8)",
    ),
    (
        NET,
        (x(4, 5, 3), NET.initial(5)),
        "the state[0]['h'] is (5, 8), and x of 4 rows needs (4, 8)",
    ),
    (
        NET,
        (x(4, 5, 3), ({"h": x(4, 7)},)),
        "the state[0]['h'] is (4, 7), and x of 4 rows needs (4, 8)",
    ),
    (
        NET,
        (x(4, 5, 3), ({"c": x(4, 8)},)),
        "the state[0] is a dict of 'c', and the layer has a dict of 'h'",
    ),
    (NET, (x(4, 5, 3), ()), "the state is a tuple of 0, and the layer has a tuple of 1"),
    (
        NET,
        (x(4, 5, 3), ({"h": x(4, 8).double()},)),
        "the state[0]['h'] holds torch.float64, and the layer torch.float32",
    ),
    (NET, (x(4, 5, 2),), "x is (4, 5, 2), and the layer reads (batch, time, 3)"),
    (NET, (x(1, 4, 5, 3),), "x is (1, 4, 5, 3), and the layer reads (batch, time, 3)"),
    (
        NET,
        (x(4, 5, 3).double(),),
        "x holds torch.float64, and the layer torch.float32; convert one of them",
    ),
    (NET, (x(2, 5, 3), None, lengths(-1, 5)), "lengths go from -1 to 5, and x has 5 steps"),
    (NET, (x(2, 5, 3), None, lengths(2, 6)), "lengths go from 2 to 6, and x has 5 steps"),
    (
        NET,
        (x(2, 5, 3), None, lengths(2)),
        "lengths are (1,) of torch.int64, and x of 2 rows needs (2,) of whole numbers",
    ),
    (BOTH, (x(2, 5, 3), lengths(-1, 5)), "lengths go from -1 to 5, and x has 5 steps"),
    (BOTH, (x(2, 5, 4),), "x is (2, 5, 4), and the layer reads (batch, time, 3)"),
    (
        CONVOLUTION,
        (x(2, 5, 3), lengths(1, 1, 1)),
        "lengths are (3,) of torch.int64, and x of 2 rows needs (2,)",
    ),
    (CONVOLUTION, (x(5, 3),), "x is (5, 3), and the layer reads (batch, time, 3)"),
    (
        WINDOW,
        (x(4, 5, 3), WINDOW.initial(1)),
        "the state is (1, 2, 3), and x of 4 rows needs (4, 2, 3)",
    ),
    (POOLING, (x(2, 5, 3), lengths(2, 6)), "lengths go from 2 to 6, and x has 5 steps"),
    (POOLING, (x(2, 5, 4), lengths(2, 5)), "x is (2, 5, 4), and the layer reads (batch, time, 3)"),
]


@pytest.mark.parametrize(("layer", "given", "line"), MESSAGES)
def test_the_line_names_the_shapes(layer: Any, given: tuple, line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(line)):
        layer(*given)


def test_a_state_is_kept_in_full_beside_half_precision() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = NET(x(2, 5, 3))
        again, _ = NET(x(2, 5, 3), state)
    assert y.shape == again.shape


def test_a_symbol_that_is_none_never_reaches_the_kernels() -> None:
    model = (
        SequenceSettings(embedding=2, body={"name": "recurrent", "cell": "gru", "width": 4})
        .build(5)
        .eval()
    )
    asked = compile_model(model)
    for one in (model, asked):
        with pytest.raises(
            ValueError, match=r"go from 0 to 4294967296, (and the symbols|not) from 0 to 5"
        ):
            one(torch.tensor([[2**32], [0]]), model.initial(2))
        with pytest.raises(
            ValueError, match=r"the state\[0\]\['h'\] is \(1, 4\), and x of 2 rows needs \(2, 4\)"
        ):
            one(torch.tensor([[1], [0]]), model.initial(1))
    with pytest.raises(ValueError, match=r"targets are \(1, 2\), and inputs \(1, 1\)"):
        model.nats(torch.tensor([[1]]), torch.tensor([[1, 2]]), model.initial(1))
    if isinstance(asked, Compiled):
        memory = asked.ticks.memory(model.initial(2), 2)
        for symbols in (np.array([0, 6]), np.array([-1, 0]), np.array([0])):
            with pytest.raises(ValueError, match=r"the (symbols go|memory is)"):
                asked.ticks.predict(memory, symbols)


def test_values_of_a_program_are_looked_at_by_whoever_runs_it() -> None:
    program = trace(CELLS["peephole"](), "peephole")
    values = {**start(program, 3, 4), "x": x(5, 2, 3), "state/h": x(2, 4), "state/c": x(1, 4)}
    line = r"'state/c' is \(1, 4\), and with x \(5, 2, 3\) it needs \(2, 4\)"
    with pytest.raises(ValueError, match=line):
        packed_paths(native, program, values, Layout.of(values["x"]))
    with pytest.raises(ValueError, match="the layout is of 4 other steps"):
        packed_paths(native, program, values | {"state/c": x(2, 4)}, Layout.of(x(4, 2, 3)))


@pytest.mark.parametrize("wrong", [3, 200, 256, 10**6, -1])
@pytest.mark.parametrize("memory", [0, 1])
def test_ids_that_are_no_symbols_are_never_counted(wrong: int, memory: int) -> None:
    ids, offsets = np.array([0, 1, wrong, 2, 0] * 20), np.array([0, 100])
    with pytest.raises(ValueError, match=f"ids go from .*{wrong}.*, and the symbols from 0 to 2"):
        count(ids, offsets, 3, 3, memory)
    good = np.array([0, 1, 2, 2, 0] * 20)
    with pytest.raises(ValueError, match="and the symbols from 0 to 2"):
        estimate(good, offsets, 3, NgramSettings(), validation=(ids, offsets))
    model = estimate(good, offsets, 3, NgramSettings(order=2))
    distribution, _ = model(torch.tensor([[3, 0]]), model.initial(1))
    with pytest.raises(ValueError, match="not from 0 to 2"):
        distribution.log_prob(torch.tensor([[0, wrong]]))


def test_a_batch_has_as_many_rows_of_everything() -> None:
    fields = {"symbol": np.zeros((3, 4), np.int64)}
    with pytest.raises(ValueError, match=r"lengths \(2,\), fresh \(3,\), symbol \(3, 4\)"):
        Batch(fields, np.ones(2, np.int64), np.ones(3))
    with pytest.raises(ValueError, match="one length a row"):
        Batch(fields, np.ones((3, 1), np.int64), np.ones(3))
