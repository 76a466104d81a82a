"""Distribution over tag sequences in which each tag depends on the two before it.

The transitions are those of TnT (Brants 2000). Inference is exact. Sums are of probabilities,
scaled at every step (Rabiner 1989, section V.A): without gradients, matrix products are much faster
than log-sum-exp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F
from torch.types import _size

from ensue.heads.paths import draw, mask_steps

CACHED = 1 << 20
"""Numbers per chunk of the maximisation, so that they stay in the cache."""


class TrigramTags(Distribution):
    """P(y | x) ~ prod_t exp(score_t(y_t)) P(y_t | y_{t-2}, y_{t-1}), times P(end | y_{n-1}, y_n).

    `scores` are (batch, time, tags), `probabilities` (tags + 1, tags + 1, tags + 1). The last id
    stands twice before the first tag, and after the last.

    >>> even = TrigramTags(torch.zeros(1, 3, 2), torch.tensor([3]), torch.full((3, 3, 3), 1 / 3))
    >>> round(float(even.log_prob(torch.tensor([[0, 1, 1]])).exp()), 6)
    0.125
    """

    # whoever makes it has checked its parameters
    arg_constraints: ClassVar = {}  # type: ignore[bad-override]

    def __init__(self, scores: Tensor, lengths: Tensor, probabilities: Tensor) -> None:
        self.scores, self.lengths, self.probabilities = scores, lengths, probabilities
        self.real, self.edge = mask_steps(scores, lengths), scores.shape[2]
        # A state is a tag and the one before it, (tags + 1, tags): no tag within a sentence is the
        # edge.
        self.change, self.last = probabilities[:, :-1, :-1], probabilities[:, :-1, -1]
        super().__init__(scores.shape[:1], scores.shape[1:2], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of tags (batch, time), (batch,)."""
        own = self.scores.gather(2, value[..., None])[..., 0].masked_fill(~self.real, 0.0).sum(1)
        tags = F.pad(value.masked_fill(~self.real, self.edge), (2, 1), value=self.edge)
        steps = self.probabilities.log()[tags[:, :-2], tags[:, 1:-1], tags[:, 2:]]
        steps_real = torch.arange(steps.shape[1]) <= self.lengths[:, None]
        # Rounded, a sum of logarithms may come out above that of all.
        return (own + steps.masked_fill(~steps_real, 0.0).sum(1) - self._log_partition).clamp(
            max=0.0
        )

    @cached_property
    def _shares(self) -> tuple[list[Tensor], Tensor]:
        """For each step, the forward probability of each state, and the log of the total."""
        most = self.scores.amax(2, keepdim=True)
        factors = (self.scores - most).exp()
        nats = most[..., 0].masked_fill(~self.real, 0.0).sum(1)
        begin = (self.probabilities[-1, -1, :-1] * factors[:, 0])[:, None]
        ways = F.pad(begin, (0, 0, self.edge, 0))
        shares: list[Tensor] = []
        for step in range(self.scores.shape[1]):
            if step:
                on = torch.einsum("bij,ijk->bjk", shares[-1], self.change) * factors[:, step, None]
                ways = torch.where(
                    self.real[:, step, None, None], F.pad(on, (0, 0, 0, 1)), shares[-1]
                )
            total = ways.sum((1, 2))
            nats = nats + total.log()
            shares.append(ways / total[:, None, None])
        return shares, nats

    @property
    def _log_partition(self) -> Tensor:
        shares, nats = self._shares
        return nats + (shares[-1] * self.last).sum((1, 2)).log()

    @property
    def mode(self) -> Tensor:
        """The most probable tags, (batch, time), 0 past the end (Viterbi 1967)."""
        change = self.change.log()
        rows = max(1, CACHED // change.numel())
        begin = (self.probabilities[-1, -1, :-1].log() + self.scores[:, 0])[:, None]
        best = [F.pad(begin, (0, 0, self.edge, 0), value=-torch.inf)]
        for step in range(1, self.scores.shape[1]):
            on = torch.cat([(some[..., None] + change).amax(1) for some in best[-1].split(rows)])
            on = on + self.scores[:, step, None]
            on = F.pad(on, (0, 0, 0, 1), value=-torch.inf)
            best.append(torch.where(self.real[:, step, None, None], on, best[-1]))
        return self._backtrack(best, lambda ways: ways.argmax(-1))

    @property
    def marginals(self) -> Tensor:
        """The probability of each tag at each step, (batch, time, tags), by forward-backward.

        It is 0 past the end.
        """
        factors = self.scores.softmax(2)
        back, both = self.last.expand_as(self._shares[0][0]), []
        for step in range(self.scores.shape[1] - 1, -1, -1):
            here = (self._shares[0][step] * back).sum(1)
            both.append(here / here.sum(1, keepdim=True))
            on = torch.einsum("ijk,bjk->bij", self.change, back[:, :-1] * factors[:, step, None])
            back = torch.where(
                self.real[:, step, None, None], on / on.amax((1, 2), keepdim=True), back
            )
        return torch.stack(both[::-1], 1).masked_fill(~self.real[..., None], 0.0)

    def sample(self, sample_shape: _size = ()) -> Tensor:
        """Sample tags, (sample, batch, time), by forward filtering and backward sampling.

        They are 0 past the end.
        """
        return self._backtrack([share.log() for share in self._shares[0]], draw, sample_shape)

    def _backtrack(
        self, ways: list[Tensor], pick: Callable[[Tensor], Tensor], shape: Sequence[int] = ()
    ) -> Tensor:
        """Choose the last two tags from the log forward scores, then the others backwards."""
        ends = (ways[-1] + self.last.log()).flatten(1)
        state = pick(ends.expand(*shape, *ends.shape))
        before, tag = state // self.edge, state % self.edge
        tags, rows, change = [tag], torch.arange(len(ends)), self.change.log().permute(1, 2, 0)
        for step in range(self.scores.shape[1] - 1, 0, -1):
            inner = before.clamp_max(
                self.edge - 1
            )  # the edge itself stands before a sentence of one word alone
            earlier = pick(ways[step - 1][rows, :, inner] + change[inner, tag])
            real = self.real[:, step]
            tag, before = torch.where(real, before, tag), torch.where(real, earlier, before)
            tags.append(tag)
        return torch.stack(tags[::-1], -1).masked_fill(~self.real, 0)
