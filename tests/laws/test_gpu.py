"""The Triton kernels give what the eager engine gives, for every cell and at random, in Triton's
interpreter."""

import os

# The interpreter is chosen where triton is imported, so before anything else can import it.
os.environ["TRITON_INTERPRET"] = "1"

from random import Random

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_cells import random_program

from ensue import engine
from ensue.cells import CELLS
from ensue.engine import (
    Program,
    eager,
    gpu,
    native,
    packed_paths,
    start,
    trace,
    with_normalised_gates,
)
from ensue.engine.gpu import cuda_graphs as stretches
from ensue.engine.gpu import run, source
from ensue.engine.layout import Layout
from ensue.engine.memory import Memory
from ensue.errors import UserError
from ensue.testing import VARIANTS, backend_is_right, values_for

pytestmark = [
    pytest.mark.skipif(
        not gpu.available(), reason=f"the kernels for a GPU cannot be tested: {gpu.describe()}"
    ),
    # Past the edge of a tile the interpreter computes on, with whatever comes of zeros.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
UNEQUAL = torch.tensor([4, 0, 3, 5, 1, 4, 2] * 2 + [5, 5, 5, 4])


@pytest.fixture(params=["at once", "tick by tick"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run all ticks in one launch; or launch them one by one, in stretches where all rows are
    equally long."""
    if request.param == "tick by tick":
        monkeypatch.setattr(run, "FEW", 0)
        monkeypatch.setattr(stretches, "LENGTH", 2)
    return request.param


def hold(program: Program, batch: int, lengths: torch.Tensor | None = None) -> None:
    backend_is_right(
        gpu, program, values_for(program, inputs=4, width=5, steps=5, batch=batch), lengths
    )


@pytest.mark.parametrize("cell", CELLS)
def test_the_kernels_equal_the_eager_engine(cell: str, way: str) -> None:
    program = trace(CELLS[cell](), cell)
    hold(VARIANTS["zoneout"](program), batch=3)
    hold(program, batch=18, lengths=UNEQUAL)
    if way == "at once":
        hold(VARIANTS["both"](program), batch=18, lengths=UNEQUAL)


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.randoms(use_true_random=False), st.sampled_from(sorted(VARIANTS)), st.booleans())
def test_random_cells_equal_the_eager_engine(draws: Random, variant: str, at_once: bool) -> None:
    program = VARIANTS[variant](random_program(draws))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "FEW", run.FEW if at_once else 0)
        hold(program, batch=4, lengths=torch.tensor([3, 0, 5, 2]))


@pytest.mark.parametrize("cell", ["gru_reset_before", "mlstm"])
def test_a_run_without_gradients_stores_less_and_gives_the_same(cell: str, way: str) -> None:
    program = trace(CELLS[cell](), cell)
    values = _values(program, torch.float32)
    layout = Layout.of(values["x"])
    with torch.no_grad():
        mine, other = (packed_paths(backend, program, values, layout) for backend in (gpu, eager))
    torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)


# The interpreter has no bfloat16 in tl.dot; that the kernels compile with it is in
# test_gpu_compiles.py.
@pytest.mark.parametrize(
    ("dtype", "way"),
    [(torch.float16, "at once"), (torch.float16, "tick by tick"), (torch.bfloat16, "tick by tick")],
    indirect=["way"],
)
def test_short_numbers_are_only_rounded_where_they_are_stored(dtype: torch.dtype, way: str) -> None:
    program = trace(CELLS["peephole"](), "peephole")
    values = _values(program, dtype)
    layout = Layout.of(values["x"])
    mine = packed_paths(gpu, program, values, layout)
    exact = packed_paths(
        eager, program, {name: one.double() for name, one in values.items()}, layout
    )
    for one, right in zip(mine, exact, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one.double(), right, rtol=0.02, atol=0.02)


def _values(program: Program, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    values = start(program, inputs=3, width=6)
    values |= {f"state/{state}": torch.randn(3, 6, generator=draws) for state in program.states}
    values["x"] = torch.randn(5, 3, 3, generator=draws)
    return {name: value.to(dtype) for name, value in values.items()}


def test_a_kernel_that_finds_no_room_leaves_its_ticks_to_be_launched_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def launch(self: run.Run, kernel: source.Kernel, when: object, *rest: object) -> None:
        if isinstance(when, torch.Tensor):
            asked.append(kernel)
            raise OutOfResources(required=200_000, limit=100_000, name="shared memory")
        original(self, kernel, when, *rest)  # type: ignore[arg-type]

    from triton.runtime.errors import OutOfResources

    original = run.Run._launch
    monkeypatch.setattr(run.Run, "_launch", launch)
    monkeypatch.setattr(run, "TOO_LARGE", set())
    program = trace(CELLS["lstm"](), "lstm")
    for _ in range(2):
        hold(program, batch=3)
    assert len(asked) == 2, "each of the two kernels is tried once"


def test_other_errors_of_a_launch_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(*_: object) -> None:
        raise RuntimeError("the GPU is on fire")

    monkeypatch.setattr(run.Run, "_launch", launch)
    with pytest.raises(RuntimeError, match="on fire"):
        hold(trace(CELLS["tanh"](), "tanh"), batch=3)


def test_many_tiles_are_not_held_at_once() -> None:
    """Layer normalisation of many gates would go to slow memory at every tick."""
    plain = trace(CELLS["peephole"](), "peephole")
    both = plain, with_normalised_gates(plain)
    few, many = (
        source.whole(program, "backward", True).held * run.ROWS * run.FEW for program in both
    )
    assert few <= run.REGISTERS < many


def test_no_name_of_a_person_gets_into_a_kernel() -> None:
    program = trace(CELLS["peephole"](), "peephole")
    renamed = Program.from_json(
        program.to_json().replace('"input"', '"breakpoint"').replace('"c"', '"exit"')
    )
    with pytest.raises(UserError, match="are not valid names"):
        Program.from_json(program.to_json().replace('"input"', '"print(1)"'))
    assert (
        source.whole(renamed, "forward", True).source
        == source.whole(program, "forward", True).source
    )
    assert (
        source.whole(renamed, "backward", True).source
        == source.whole(program, "backward", True).source
    )


@pytest.mark.parametrize(
    ("cell", "by_gpu"), [("peephole", True), ("jordan", True), ("lstm", False), ("mingru", False)]
)
def test_cells_without_a_faster_way_get_kernels(
    cell: str, by_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's own kernels and the scan come first; here a CPU is taken for a GPU."""
    launched: list[str] = []

    def forward(memory: Memory) -> None:
        launched.append(memory.program.name)
        original(memory)

    original = gpu.forward
    program = trace(CELLS[cell](), cell)
    values, lengths = _values(program, torch.float32), torch.tensor([5, 2, 3])
    monkeypatch.setattr(native, "usable", lambda *_: False)
    right, ends = engine.run(program, values, lengths)
    monkeypatch.setattr(gpu, "usable", lambda _: True)
    monkeypatch.setattr(gpu, "forward", forward)
    path, last = engine.run(program, values, lengths)
    torch.testing.assert_close((path, last), (right, ends), rtol=0, atol=1e-6)
    assert launched == [cell] * by_gpu


def test_kernels_are_for_gpus_alone_and_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x": torch.zeros(2, 2, 2)}
    assert not gpu.usable(values)
    gpu.available.cache_clear()
    monkeypatch.setenv("ENSUE_TRITON", "off")
    assert not gpu.available()
    assert gpu.describe() == "disabled by ENSUE_TRITON"
    gpu.available.cache_clear()
    monkeypatch.delenv("ENSUE_TRITON")
    assert gpu.describe().startswith("triton ")


def test_rows_that_have_no_step_get_zeros(way: str) -> None:
    """All rows of a batch may be empty, as those of the last piece of a long text."""
    program = trace(CELLS["peephole"](), "peephole")
    hold(program, batch=3, lengths=torch.tensor([0, 0, 0]))
