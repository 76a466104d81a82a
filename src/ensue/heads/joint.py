"""Joint head over the fields of a step: each field given the features and the fields before it.

The chain rule makes any dependence possible: a duration may depend on its pitch, and y on x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.fields import Fields, Steps
from ensue.heads.contract import StepDistribution, compute_nats, draw_symbols
from ensue.heads.numbers import CONTINUOUS, MixtureHeadSettings
from ensue.settings import Choice, Settings

Numbers = Annotated[Any, Choice(CONTINUOUS)]


class JointSettings(Settings):
    """Settings of the joint head."""

    name: Literal["joint"] = "joint"
    numbers: Numbers = MixtureHeadSettings()
    """Distribution of each number."""
    embedding: int = Field(32, ge=1)
    """Embedding features of a symbol on which later fields of the same step depend."""

    def build(self, features: int, fields: Fields) -> Joint:
        """Build the head for the fields of a step."""
        return Joint(features, fields, self)


class Joint(nn.Module):
    """p(step) = prod_k p(field k | features, fields before k)."""

    def __init__(self, features: int, fields: Fields, settings: JointSettings) -> None:
        super().__init__()
        self.features, self.fields = features, fields
        self.tables = nn.ModuleList(
            nn.Embedding(size, settings.embedding) for size in fields.of_rows.values()
        )
        widths = [settings.embedding] * len(self.tables) + [1] * len(fields.numbers)
        self.mixers = nn.ModuleList(
            nn.Linear(features + sum(widths[:place]), features)
            for place in range(1, len(fields.names))
        )
        self.symbols: Any = nn.ModuleList(
            nn.Linear(features, size) for size in fields.symbols.values()
        )
        self.numbers: Any = nn.ModuleList(
            settings.numbers.build(features, 1) for _ in fields.numbers
        )
        changes = [one.change for one in fields.numbers.values()]
        self.by_change = [change is not None for change in changes]
        self.units = [change or 1.0 for change in changes]
        """Standardised units of one unit of the head: of the change, or of the value."""
        self.scales = [
            unit * one.scale for unit, one in zip(self.units, fields.numbers.values(), strict=True)
        ]

    @torch.no_grad()
    def start_at_frequencies(self, symbols: NDArray[np.integer]) -> None:
        """Start each field of symbols (steps, fields) at its frequencies, smoothed by Laplace.

        Rare symbols, such as the end of a sequence, take many updates to become rare otherwise.
        """
        for output, ids in zip(self.symbols, symbols.T, strict=True):
            counts = np.bincount(ids, minlength=output.bias.numel()) + 1.0
            output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))

    def forward(self, features: Tensor, before: Tensor) -> JointDistribution:
        """Map features (..., features) to the distribution of a step.

        `before` (..., numbers) are the numbers of the step before, 0 where there is none.
        """
        return JointDistribution(self, features, before)


class JointDistribution(StepDistribution):
    """The distribution of steps, with batch shape (...)."""

    def __init__(self, head: Joint, features: Tensor, before: Tensor) -> None:
        self.head, self.features, self.before = head, features, before

    def costs(self, steps: Steps) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the nats of each field (...), and its training loss if that differs, else None."""
        head, seen = self.head, list[Tensor]()
        for place, table in enumerate(head.tables):
            yield self._symbol_cost(place, steps, seen), None
            seen.append(table(steps["symbols"][..., place]))
        for place, output in enumerate(head.numbers):
            number = self._to_unit(steps["numbers"][..., place], place)
            scale = number.new_tensor(head.scales[place])
            nats, extra = output.cost(output.raw(self._mix(seen)), number[..., None], scale)
            yield nats[..., 0], None if extra is None else extra[..., 0]
            seen.append(number[..., None])
        if len(head.symbols) > len(head.tables):
            yield self._symbol_cost(-1, steps, seen), None

    def _symbol_cost(self, place: int, steps: Steps, seen: list[Tensor]) -> Tensor:
        scores = self.head.symbols[place](self._mix(seen)).float()
        return compute_nats(scores, steps["symbols"][..., place])

    def draw(self, uniforms: Tensor, temperature: float = 1.0) -> Steps:
        """Sample steps, field by field, from uniform numbers in (0, 1), (..., fields, 2)."""
        head, seen, ids, numbers = self.head, list[Tensor](), list[Tensor](), list[Tensor]()
        for place, table in enumerate(head.tables):
            scores = head.symbols[place](self._mix(seen))
            ids.append(draw_symbols(scores, uniforms[..., place, 0], temperature))
            seen.append(table(ids[-1]))
        for place, output in enumerate(head.numbers):
            raw = output.raw(self._mix(seen))
            distribution = output.distribution(raw, raw.new_ones(()))
            if temperature != 1:
                distribution = output.soften(distribution, temperature)
            first, second = uniforms[..., len(ids) + place, :, None].to(raw).unbind(-2)
            number = output.draw(distribution, first, second)
            seen.append(number)
            numbers.append(self._to_value(number[..., 0], place))
        if len(head.symbols) > len(head.tables):
            scores = head.symbols[-1](self._mix(seen))
            ids.append(draw_symbols(scores, uniforms[..., -1, 0], temperature))
        shape = self.features.shape[:-1]
        nothing = self.features.new_zeros(*shape, 0)
        return {
            "symbols": torch.stack(ids, -1) if ids else nothing.long(),
            "numbers": torch.stack(numbers, -1) if numbers else nothing,
        }

    def _mix(self, seen: list[Tensor]) -> Tensor:
        """Return the features on which the next field depends."""
        if not seen:
            return self.features
        return F.gelu(self.head.mixers[len(seen) - 1](torch.cat([self.features, *seen], -1)))

    def _to_unit(self, number: Tensor, place: int) -> Tensor:
        base = self.before[..., place] if self.head.by_change[place] else 0.0
        return (number - base) / self.head.units[place]

    def _to_value(self, number: Tensor, place: int) -> Tensor:
        base = self.before[..., place] if self.head.by_change[place] else 0.0
        return base + number * self.head.units[place]
