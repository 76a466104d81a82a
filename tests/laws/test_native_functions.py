"""The kernels' elementary functions are true to 2 units in the last place or a share of 3e-7, at
every magnitude."""

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ensue import native
from ensue.engine.step.network import Network, Ticks
from ensue.engine.step.structures import Writing

KERNELS = native.library()
pytestmark = pytest.mark.skipif(KERNELS is None, reason="ensue-native is not installed")
SETS = native.instruction_sets() or [""]
TRUE = {
    "exp": torch.exp,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
}
UNITS, SHARE = 2, 3e-7
NORMAL = torch.finfo(torch.float32).tiny
"""The smallest number of full precision; what is truly below it may come out as anything below
it."""


@pytest.fixture(params=SETS)
def kernels(request: pytest.FixtureRequest) -> Iterator[ctypes.CDLL]:
    assert KERNELS is not None
    before = KERNELS.ensue_used()
    assert KERNELS.ensue_use(request.param.encode())
    yield KERNELS
    KERNELS.ensue_use(before)


def apply(kernels: ctypes.CDLL, name: str, *args: torch.Tensor) -> torch.Tensor:
    padded = [torch.nn.functional.pad(arg, (0, -len(arg) % 64)).contiguous() for arg in args]
    out = torch.full_like(padded[0], 7.0)
    addresses = [ctypes.c_void_p(arg.data_ptr()) for arg in padded] + [None] * (3 - len(args))
    count = ctypes.c_int64(len(out))
    assert kernels.ensue_apply(
        kernels.ensue_operation(name.encode()), ctypes.c_void_p(out.data_ptr()), *addresses, count
    )
    return out[: len(args[0])]


def every_magnitude() -> torch.Tensor:
    """One float in every 4,099: all exponents, denormals included, and both signs; and what lies
    at the edges."""
    bits = torch.arange(0, 2**32, 4099, dtype=torch.int64).to(torch.int32)
    edges = torch.tensor(
        [0.0, 1.0, 88.72284, 88.72283, 87.3365, 103.97208, 104.0, 89.0, 1.1754944e-38, 1e-45, 3e38]
    )
    inner = torch.linspace(-20, 20, 200_001)
    every = torch.cat([bits.view(torch.float32), edges, -edges, inner])
    return every[every.isfinite()]


@pytest.mark.parametrize("name", TRUE)
def test_a_function_is_right_everywhere(kernels: ctypes.CDLL, name: str) -> None:
    at = every_magnitude()
    found, true = apply(kernels, name, at).double(), TRUE[name](at.double())
    # In float32 what is too large is infinite.
    true = torch.where(true.abs() > torch.finfo(torch.float32).max, true.sign() * torch.inf, true)
    assert torch.equal(found.isnan(), true.isnan())
    assert torch.equal(found.isinf(), true.isinf())
    real = true.isfinite()
    error = (found - true).abs()[real]
    unit = torch.from_numpy(np.spacing(true[real].abs().float().numpy())).double()
    allowed = torch.maximum(UNITS * unit, SHARE * true[real].abs()).clamp_min(NORMAL)
    worst = (error / allowed).argmax()
    assert (error <= allowed).all(), (
        f"{name} is wrong at {at[real][worst]}: by {error[worst] / unit[worst]:.1f} units"
    )


@pytest.mark.parametrize("name", TRUE)
def test_infinities_and_nan_come_out_as_in_torch(kernels: ctypes.CDLL, name: str) -> None:
    at = torch.tensor([torch.inf, -torch.inf, torch.nan, -torch.nan, 0.0, -0.0])
    torch.testing.assert_close(
        apply(kernels, name, at), TRUE[name](at), rtol=0, atol=SHARE, equal_nan=True
    )


def test_comparisons_with_nan_are_those_of_torch(kernels: ctypes.CDLL) -> None:
    values = torch.tensor([1.0, -2.0, 0.0, torch.inf, -torch.inf, torch.nan])
    a, b = torch.cartesian_prod(values, values).unbind(1)
    assert torch.equal(
        apply(kernels, "maximum", a, b).nan_to_num(9), torch.maximum(a, b).nan_to_num(9)
    )
    assert torch.equal(apply(kernels, "relu", a).nan_to_num(9), torch.relu(a).nan_to_num(9))
    assert torch.equal(apply(kernels, "sign", a[:30]), torch.sign(a[:30]))


def test_what_is_not_one_operation_on_tiles_is_refused(kernels: ctypes.CDLL) -> None:
    out = torch.zeros(64)
    place = ctypes.c_void_p(out.data_ptr())
    for operation, count in ((-1, 64), (kernels.ensue_operation(b"normalise"), 64), (0, 63)):
        assert (
            kernels.ensue_apply(operation, place, place, place, place, ctypes.c_int64(count)) == 0
        )
    assert kernels.ensue_operation(b"no such thing") == -1
    assert kernels.ensue_use(b"no such thing") == 0


def softmax(scores: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Give log-probabilities and probabilities of rows of scores: a network that only looks its
    scores up."""
    rows, size = scores.shape
    network = Network("fp32")
    place = network.row(size)
    network.lookup(scores, place)
    ticks = Ticks(network, place, size)
    memory, symbols = torch.zeros(rows, ticks.stride), np.arange(rows, dtype=np.int32)
    (logs, probabilities), written = np.empty((2, rows, size)), np.empty(rows, np.int32)
    writing = Writing(
        rows=rows, ticks=1, threads=1, memory=memory.data_ptr(), symbols=symbols.ctypes.data
    )
    writing.log_probs, writing.probabilities = logs.ctypes.data, probabilities.ctypes.data
    writing.written = written.ctypes.data
    ticks.write(None, writing)
    return logs, probabilities


@pytest.mark.usefixtures("kernels")
def test_probabilities_are_those_of_numpy() -> None:
    for size in (1, 2, 7, 8, 9, 65, 300):
        scores = torch.randn(300, size, generator=torch.Generator().manual_seed(size)) * 20
        logs, found = softmax(scores)
        exact = scores.numpy().astype(np.longdouble)
        exact -= exact.max(axis=1, keepdims=True)
        true = np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)
        single = true.astype(np.float32)
        likely = single > np.finfo(np.float32).tiny
        np.testing.assert_allclose(found[likely], true[likely].astype(float), rtol=2e-15, atol=0)
        np.testing.assert_allclose(
            logs[likely], np.log(true[likely]).astype(float), rtol=1e-15, atol=1e-14
        )
        # What vanishes in single precision is impossible.
        assert (found[single == 0] == 0).all()
        assert (logs[single == 0] == -np.inf).all()


@pytest.mark.usefixtures("kernels")
def test_exp_of_float64_is_right_to_a_unit() -> None:
    # Beside a symbol that has all but 2^-54 of the probability, so that nothing else rounds.
    scores = torch.linspace(-103, -38, 100_001)
    _, found = softmax(torch.stack([torch.zeros_like(scores), scores], dim=1))
    true = np.exp(scores.numpy().astype(np.longdouble))
    assert (np.abs(found[:, 1] - true) <= np.spacing(true.astype(float))).all()


@pytest.mark.usefixtures("kernels")
def test_scores_that_are_no_numbers_end_nothing() -> None:
    scores = torch.tensor(
        [[0.0, -torch.inf, -800.0], [-torch.inf] * 3, [torch.nan, 0.0, 1.0], [torch.inf, 0.0, 1.0]]
    )
    logs, found = softmax(scores)
    assert found[0].tolist() == [1, 0, 0]
    assert logs[0].tolist() == [0, -np.inf, -np.inf]
    assert np.isnan(found[1:]).any(axis=1).all()


@pytest.mark.usefixtures("kernels")
def test_a_fingerprint_sees_every_change() -> None:
    def fingerprint() -> int:
        return native.fingerprint(numbers.ctypes.data + 4, 4 * count)

    for count in (0, 1, 3, 127, 128, 129, 1000):
        numbers = np.random.default_rng(count).normal(size=count + 2).astype(np.float32)
        inside = numbers[1:-1]
        seen = {fingerprint()}
        numbers[0] = numbers[-1] = 7  # outside
        assert fingerprint() in seen
        for place in range(count):
            inside[place] *= -1
            seen.add(fingerprint())
        if count > 1:
            inside[:] = inside[::-1].copy()
            seen.add(fingerprint())
        assert len(seen) == 1 + count + (count > 1)
    assert native.fingerprint(numbers.ctypes.data, 4) != native.fingerprint(numbers.ctypes.data, 8)
