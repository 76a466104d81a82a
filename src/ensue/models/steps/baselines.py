"""Baselines over steps of several fields: repeat the last step, extrapolate it, ridge regression.

Of each number they predict the value, with errors by Student's t distribution (Lange, Little &
Taylor 1989); of each symbol its probability after the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ensue.data.dataset import Examples
from ensue.errors import RunError
from ensue.fields import Fields, Steps
from ensue.heads.contract import StepDistribution, draw_symbols
from ensue.heads.numbers.student import UncheckedStudentT, draw_student
from ensue.models.contract import StepModel
from ensue.models.parameters import mismatch
from ensue.models.steps.transitions import Transitions
from ensue.settings import Settings
from ensue.state import State

Numbers: TypeAlias = NDArray[np.float64]

FREEDOMS = (2.1, 3.0, 5.0, 10.0, 30.0, 1000.0)
"""Degrees of freedom that are tried: from very heavy tails to nearly none."""
ROUNDS = 30
"""Updates of the scale of errors; the likelihood grows with each, and hardly after a dozen."""
LEAST_SCALE = 1e-4
"""Minimum scale of errors, in standardised units, as of the heads over numbers."""
PENALTY = 1e-3
"""L2 penalty on standardised features, per step."""
FEATURES = 256
"""Symbols of a field that are features of the ridge regression: its most frequent ones."""
BLOCK = 1 << 16
"""Steps whose features are in memory at once."""


class LastStepSettings(Settings):
    """Settings of the baseline that repeats the last step."""

    name: Literal["last-step"] = "last-step"

    def build(self, fields: Fields) -> StepBaseline:
        """Build the unfitted model."""
        return StepBaseline(fields, 1, _repeat)

    def suits(self, fields: Fields) -> bool:
        """Whether it is a baseline for such steps: always."""
        return True


class ExtrapolationSettings(Settings):
    """Settings of linear extrapolation of the last two steps."""

    name: Literal["linear-extrapolation"] = "linear-extrapolation"

    def build(self, fields: Fields) -> StepBaseline:
        """Build the unfitted model."""
        return StepBaseline(fields, 2, _extrapolate)

    def suits(self, fields: Fields) -> bool:
        """Whether it is a baseline for such steps: those with numbers."""
        return bool(fields.numbers)


class StepRidgeSettings(Settings):
    """Settings of ridge regression on the last steps."""

    name: Literal["ridge"] = "ridge"
    order: int = Field(4, ge=1, le=64)
    """Number of last steps whose numbers are features."""

    def build(self, fields: Fields) -> StepBaseline:
        """Build the unfitted model."""
        return StepBaseline(fields, self.order, _repeat, linear=True)

    def suits(self, fields: Fields) -> bool:
        """Whether it is a baseline for such steps: those with numbers."""
        return bool(fields.numbers)


class IndependentFields(StepDistribution):
    """Independent fields: t distributions of numbers, probabilities of symbols.

    Numbers are (..., numbers), and the symbols `before` these steps (..., symbols).
    """

    def __init__(
        self,
        numbers: UncheckedStudentT,
        scales: Tensor,
        symbols: Sequence[Transitions],
        before: Tensor,
        of_rows: int,
    ) -> None:
        self.numbers, self.scales, self.symbols, self.before = numbers, scales, symbols, before
        self.of_rows = of_rows
        """Fields of symbols before the numbers; the end comes after them."""

    def costs(self, steps: Steps) -> Iterator[tuple[Tensor, None]]:
        """Yield the nats of each field, (...)."""
        symbols = [
            -one.log_prob(self.before[..., place], steps["symbols"][..., place])
            for place, one in enumerate(self.symbols)
        ]
        numbers = self.scales.log() - self.numbers.log_prob(steps["numbers"].double())
        ordered = (*symbols[: self.of_rows], *numbers.unbind(-1), *symbols[self.of_rows :])
        yield from ((one, None) for one in ordered)

    def draw(self, uniforms: Tensor, temperature: float = 1.0) -> Steps:
        """Sample steps from uniform numbers in (0, 1), (..., fields, 2)."""
        of_symbols, of_numbers, of_end = uniforms.tensor_split(
            (self.of_rows, self.of_rows + len(self.scales)), -2
        )
        own = torch.cat([of_symbols, of_end], -2)
        ids = [
            draw_symbols(one.scores(self.before[..., place]), own[..., place, 0], temperature)
            for place, one in enumerate(self.symbols)
        ]
        first, second = of_numbers.unbind(-1)
        spread = self.numbers.scale * temperature**0.5
        softened = UncheckedStudentT(self.numbers.df, self.numbers.loc, spread)
        nothing = uniforms.new_zeros(*uniforms.shape[:-2], 0).long()
        return {
            "symbols": torch.stack(ids, -1) if ids else nothing,
            "numbers": draw_student(softened, first, second).float(),
        }


def _repeat(last: Numbers) -> Numbers:
    """Return the numbers of the last step."""
    return last[:, 0]


def _extrapolate(last: Numbers) -> Numbers:
    """Return the point that continues the line through the last two steps."""
    return 2 * last[:, 0] - last[:, 1]


class StepBaseline(StepModel):
    """A model of the next step by the last `order` ones, fitted in closed form.

    `rule` predicts numbers (steps, numbers) from those of the last steps, (steps, order, numbers),
    of which the latest comes first. With `linear`, a linear function of the last steps and symbols
    is added, with an L2 penalty (Hoerl & Kennard 1970).

    Before the first step, numbers are N(0, 1), as they are standardised, and symbols as frequent
    as in training. Where fewer steps are known, the first one stands for those before it.
    """

    def __init__(
        self, fields: Fields, order: int, rule: Callable[[Numbers], Numbers], linear: bool = False
    ) -> None:
        self.fields, self.order, self.rule, self.linear = fields, order, rule, linear
        self._arrays: dict[str, NDArray[Any]] = {}
        self._symbols: list[Transitions] = []

    def _predict(self, last: Numbers, ids: NDArray[np.int64]) -> Numbers:
        """Predict numbers; `ids` (steps, symbols) are the symbols of the last step."""
        if not self.linear:
            return self.rule(last)
        return self.rule(last) + self._design(last, ids) @ self._arrays["weights"]

    def _design(self, last: Numbers, ids: NDArray[np.int64]) -> Numbers:
        """Return the last step, the changes before it, the last symbols, and 1.

        The start, and symbols that are not among the most frequent ones, have no feature.
        """
        changes = (last[:, :-1] - last[:, 1:]).reshape(len(last), (self.order - 1) * last.shape[2])
        symbols = [
            ids[:, place, None] == np.sort(np.argsort(-one.rate, kind="stable")[:FEATURES])
            for place, one in enumerate(self._symbols[: len(self.fields.of_rows)])
        ]
        return np.concatenate([last[:, 0], changes, *symbols, np.ones((len(last), 1))], 1)

    def fit(self, train: Examples, validation: Examples | None = None) -> None:
        """Fit to the training part."""
        numbers = np.asarray(train.steps["numbers"], np.float64)
        ids = np.asarray(train.steps["symbols"], np.int64)
        lengths = train.lengths
        place = np.arange(len(numbers)) - np.repeat(train.offsets[:-1], lengths)
        later = np.flatnonzero(place > 0)
        back = np.minimum(np.arange(self.order), place[later, None] - 1)
        sizes = self.fields.symbols.values()
        self._symbols = [
            Transitions.fit(ids[:, place], later, size) for place, size in enumerate(sizes)
        ]
        self._arrays = {}
        blocks = [
            (numbers[at[:, None] - 1 - near], ids[at - 1], numbers[at])
            for at, near in zip(_cut(later), _cut(back), strict=True)
        ]
        if self.linear:
            width = self._design(*blocks[0][:2]).shape[1]
            products, residuals = np.zeros((width, width)), np.zeros((width, numbers.shape[1]))
            for last, before, target in blocks:
                x = self._design(last, before)
                products += x.T @ x
                residuals += x.T @ (target - self.rule(last))
            penalty = PENALTY * (len(later) + 1) * np.eye(width)
            weights: Numbers = np.linalg.solve(products + penalty, residuals).astype(np.float64)
            self._arrays["weights"] = weights
        errors = np.concatenate(
            [target - self._predict(last, before) for last, before, target in blocks]
        )
        freedom, scale = zip(*map(_fit_student, errors.T), strict=True) if errors.size else ((), ())
        count = len(self.fields.numbers)
        self._arrays["freedom"] = np.array(freedom or [1000.0] * count, np.float64)
        self._arrays["scale"] = np.array(scale or [1.0] * count, np.float64)

    def initial(self, batch_size: int, context: State | None = None) -> State:
        """Return NaN for the numbers of the steps before the first."""
        return torch.full((batch_size, self.order, len(self.fields.numbers)), torch.nan)

    def __call__(
        self, inputs: Steps, state: Any, lengths: Tensor | None = None
    ) -> tuple[IndependentFields, State]:
        """Map steps (batch, time) to the distribution of the next one and the last state."""
        numbers, ids = inputs["numbers"], inputs["symbols"]
        rows, time, width = numbers.shape
        # The latest first: row t of `last` has the steps t, t - 1, ... of the inputs.
        every = torch.cat([state.flip(1).to(numbers), numbers], 1)
        at = self.order + torch.arange(time)[:, None] - torch.arange(self.order)
        last = every[:, at]
        for back in range(1, self.order):
            earlier = last[:, :, back - 1]
            last[:, :, back] = torch.where(last[:, :, back].isnan(), earlier, last[:, :, back])
        first = last[:, :, 0].isnan()
        known = last.nan_to_num().double().flatten(0, 1).numpy()
        mean = torch.from_numpy(self._predict(known, ids.flatten(0, 1).numpy()))
        mean = mean.reshape(rows, time, width).masked_fill(first, 0.0)
        freedom, scale = (torch.from_numpy(self._arrays[one]) for one in ("freedom", "scale"))
        spread = scale.expand(mean.shape).masked_fill(first, 1.0)
        freedom = freedom.expand(mean.shape).masked_fill(first, FREEDOMS[-1])
        units = torch.tensor(
            [one.scale for one in self.fields.numbers.values()], dtype=torch.float64
        )
        end = lengths if lengths is not None else torch.full((rows,), time)
        kept = end[:, None] - 1 - torch.arange(self.order) + self.order
        state = every.gather(1, kept[..., None].expand(-1, -1, width))
        errors = UncheckedStudentT(freedom, mean, spread)
        return IndependentFields(errors, units, self._symbols, ids, len(self.fields.of_rows)), state

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters."""
        return sum(array.size for array in self.arrays().values())

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the fitted parameters."""
        of_symbols = (one.arrays(place) for place, one in enumerate(self._symbols))
        return dict(chain(self._arrays.items(), *(one.items() for one in of_symbols)))

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""
        sizes, count = [*self.fields.symbols.values()], len(self.fields.numbers)
        shapes: dict[str, tuple[int, ...]] = {"freedom": (count,), "scale": (count,)}
        if self.linear:
            features = sum(min(size, FEATURES) for size in self.fields.of_rows.values())
            shapes["weights"] = (self.order * count + features + 1, count)
        own = {name: array for name, array in arrays.items() if not name.startswith("symbol")}
        found = {name: array.shape for name, array in own.items()}
        numbers = all(array.dtype == np.float64 for array in own.values())
        try:
            symbols = [Transitions.load(arrays, place, size) for place, size in enumerate(sizes)]
        except (KeyError, ValueError):
            symbols = []
        whole = len(symbols) == len(sizes) and len(arrays) == len(own) + 3 * len(sizes)
        if found != shapes or not numbers or not whole or (arrays["scale"] <= 0).any():
            raise mismatch("the saved arrays are those of another model")
        if (arrays["freedom"] <= 0).any():
            what = "the saved degrees of freedom are not positive"
            raise RunError(what, hint="use the arrays of its training")
        self._arrays = {name: np.array(array) for name, array in own.items()}
        self._symbols = symbols


def _cut(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut rows into blocks."""
    return np.split(rows, range(BLOCK, len(rows), BLOCK))


def _fit_student(errors: Numbers) -> tuple[float, float]:
    """Fit the degrees of freedom and the scale of t errors around 0 by maximum likelihood."""
    squares, best = errors**2, (np.inf, FREEDOMS[-1], 1.0)
    for freedom in FREEDOMS:
        scale2 = max(float(squares.mean()), LEAST_SCALE**2)
        for _ in range(ROUNDS):
            weights = (freedom + 1) / (freedom + squares / scale2)
            scale2 = max(float((weights * squares).mean()), LEAST_SCALE**2)
        scale = scale2**0.5
        of = UncheckedStudentT(*(torch.tensor(one) for one in (freedom, 0.0, scale)))
        nats = -float(of.log_prob(torch.from_numpy(errors)).mean())
        best = min(best, (nats, freedom, scale))
    return best[1], best[2]
