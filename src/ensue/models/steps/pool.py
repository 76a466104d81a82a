"""A mixture of models over records: of each step, p(step) = sum_m weight_m p_m(step)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.fields import Steps
from ensue.heads.contract import StepDistribution
from ensue.heads.numbers.contract import GREEDY
from ensue.models.contract import StepModel
from ensue.models.parameters import get_device
from ensue.models.pool import Nats, Pool
from ensue.state import State


class StepPool(Pool, StepModel):
    """Models over records, and the weight of each."""

    def __init__(self, members: Sequence[StepModel], weights: Nats | None = None) -> None:
        super().__init__(members, weights)
        self.fields = members[0].fields

    def initial(self, batch_size: int, context: State | None = None) -> State:
        """Return the state of each member."""
        return tuple(one.initial(batch_size, context) for one in self.members)

    def __call__(
        self, inputs: Steps, state: Any, lengths: Tensor | None = None
    ) -> tuple[MixedSteps, State]:
        """Map steps (batch, time) to the distribution of the next one and the last state."""
        found, states = [], []
        for one, own in zip(self.members, state, strict=True):
            device = get_device(one)
            moved = {name: steps.to(device) for name, steps in inputs.items()}
            distribution, after = one(moved, own, lengths)
            found.append(distribution)
            states.append(after)
        logs = torch.from_numpy(self.weights[:, 0]).clamp_min(torch.finfo(torch.float64).tiny).log()
        return MixedSteps(found, logs), tuple(states)


class MixedSteps(StepDistribution):
    """The distribution of steps by several models, with logarithms of their weights."""

    def __init__(self, members: list[Any], logs: Tensor) -> None:
        self.members, self.logs = members, logs

    def costs(self, steps: Steps) -> Iterator[tuple[Tensor, None]]:
        """Yield the nats of each field given those before it, (...).

        Each member has the weight that the fields before make probable.
        """
        joint = self.logs
        costs = [[cost.cpu().double() for cost, _ in one.costs(steps)] for one in self.members]
        for of_field in zip(*costs, strict=True):
            nats = torch.stack(of_field, -1)
            before, joint = joint.expand(nats.shape), joint - nats
            yield torch.logsumexp(before, -1) - torch.logsumexp(joint, -1), None

    def draw(self, uniforms: Tensor, temperature: float = 1.0) -> Steps:
        """Sample steps from uniform numbers in (0, 1), (..., fields, 2).

        The first number chooses the member, and what is left of it is uniform again.
        """
        ends = torch.softmax(self.logs / max(temperature, GREEDY), 0).cumsum(0)
        begins = torch.cat([ends.new_zeros(1), ends[:-1]])
        first = uniforms[..., 0, 0]
        chosen = (first[..., None] >= ends[:-1]).sum(-1)
        left = (first - begins[chosen]) / (ends - begins)[chosen].clamp_min(1e-300)
        own = uniforms.clone()
        own[..., 0, 0] = left.clamp(2.0**-54, 1 - 2.0**-54)
        drawn = [one.draw(own, temperature) for one in self.members]
        return {
            name: torch.stack([one[name].cpu() for one in drawn]).gather(
                0, chosen[None, ..., None].expand(1, *drawn[0][name].shape)
            )[0]
            for name in drawn[0]
        }
