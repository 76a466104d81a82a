"""Distributions over the tags of a sentence: independent steps, or a linear chain.

The chain is the linear-chain conditional random field (Lafferty, McCallum & Pereira 2001): P(y | x)
is proportional to exp(first_{y_1} + sum_t score_t(y_t) + sum_t change_{y_{t-1}, y_t} + last_{y_n}).
The posterior of a hidden Markov model has the same form. Inference is exact, and rows end at their
own lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.types import _size

from ensue.heads.contract import compute_nats


class StepTags(Distribution):
    """Independent tags: P(y) = prod_t softmax(scores_t)_{y_t}; scores are (batch, time, tags).

    >>> chances = StepTags(torch.tensor([[[0.0, 1.0], [9.0, 0.0]]]), torch.tensor([1]))
    >>> chances.mode.tolist(), round(float(chances.log_prob(torch.tensor([[1, 0]])).exp()), 3)
    ([[1, 0]], 0.731)
    """

    # The heads that build it have checked its parameters.
    arg_constraints: ClassVar = {}  # type: ignore[bad-override]

    def __init__(self, scores: Tensor, lengths: Tensor) -> None:
        self.scores, self.real = scores, mask_steps(scores, lengths)
        super().__init__(scores.shape[:1], scores.shape[1:2], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of tags (batch, time), (batch,)."""
        nats = compute_nats(self.scores, value)
        return -nats.masked_fill(~self.real, 0.0).sum(1)

    @property
    def mode(self) -> Tensor:
        """The most probable tags, (batch, time), 0 past the end."""
        return self.scores.argmax(2).masked_fill(~self.real, 0)

    @property
    def marginals(self) -> Tensor:
        """Marginal probabilities, (batch, time, tags), 0 past the end."""
        return self.scores.softmax(2).masked_fill(~self.real[..., None], 0.0)

    def sample(self, sample_shape: _size = ()) -> Tensor:
        """Sample tags, (sample, batch, time), 0 past the end."""
        tags = draw(self.scores.expand(*sample_shape, *self.scores.shape))
        return tags.masked_fill(~self.real, 0)


@dataclass(frozen=True)
class Chain:
    """Potentials of a chain: `first` and `last` (tags,), transitions `change` (from, to)."""

    first: Tensor
    change: Tensor
    last: Tensor


class ChainTags(Distribution):
    """A linear chain over `scores` (batch, time, tags); every row has at least one step.

    >>> even = Chain(torch.zeros(2), torch.zeros(2, 2), torch.zeros(2))
    >>> chances = ChainTags(torch.zeros(1, 3, 2), torch.tensor([3]), even)
    >>> round(float(chances.log_prob(torch.tensor([[0, 1, 1]])).exp()), 6)
    0.125
    """

    # The heads that build it have checked its parameters.
    arg_constraints: ClassVar = {}  # type: ignore[bad-override]

    def __init__(self, scores: Tensor, lengths: Tensor, chain: Chain) -> None:
        self.scores, self.lengths, self.chain = scores, lengths, chain
        self.real = mask_steps(scores, lengths)
        super().__init__(scores.shape[:1], scores.shape[1:2], validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of tags (batch, time), (batch,)."""
        # Both are rounded sums of many numbers, so their difference can exceed 0.
        return (self.score(value) - self.log_partition).clamp(max=0.0)

    def score(self, value: Tensor) -> Tensor:
        """Return the unnormalised log-probability of tags (batch, time), (batch,)."""
        own = self.scores.gather(2, value[..., None])[..., 0].masked_fill(~self.real, 0.0).sum(1)
        changes = (
            self.chain.change[value[:, :-1], value[:, 1:]]
            .masked_fill(~self.real[:, 1:], 0.0)
            .sum(1)
        )
        end = value.gather(1, self.lengths[:, None] - 1)[:, 0]
        return own + changes + self.chain.first[value[:, 0]] + self.chain.last[end]

    @cached_property
    def log_partition(self) -> Tensor:
        """The log-partition function, (batch,), by the forward algorithm."""
        return (self._forwards[-1] + self.chain.last).logsumexp(1)

    @cached_property
    def _forwards(self) -> list[Tensor]:
        return self._ways(torch.logsumexp)

    def _ways(self, combine: Callable[[Tensor, int], Tensor]) -> list[Tensor]:
        """Accumulate the prefix scores that end in each tag, one (batch, tags) per step.

        `combine` is logsumexp or max. Past the end of a row its scores stay as they are.
        """
        ways = [self.chain.first + self.scores[:, 0]]
        for step in range(1, self.scores.shape[1]):
            on = combine(ways[-1][:, :, None] + self.chain.change, 1) + self.scores[:, step]
            ways.append(torch.where(self.real[:, step, None], on, ways[-1]))
        return ways

    @property
    def mode(self) -> Tensor:
        """The most probable tags, (batch, time), 0 past the end (Viterbi 1967)."""
        return self._back(self._ways(torch.amax), lambda ways: ways.argmax(-1))

    @property
    def marginals(self) -> Tensor:
        """Marginal probabilities, (batch, time, tags), 0 past the end (forward-backward)."""
        back = self.chain.last.expand_as(self.scores[:, 0])
        both = []
        for step in range(self.scores.shape[1] - 1, -1, -1):
            both.append(self._forwards[step] + back)
            on = (self.chain.change + (self.scores[:, step] + back)[:, None]).logsumexp(2)
            back = torch.where(self.real[:, step, None], on, back)
        # By their own sum: the partition is rounded otherwise, and long sentences came out at
        # 1.002.
        chances = torch.stack(both[::-1], 1).softmax(2)
        return chances.masked_fill(~self.real[..., None], 0.0)

    def sample(self, sample_shape: _size = ()) -> Tensor:
        """Sample tags, (sample, batch, time), 0 past the end (backward sampling)."""
        return self._back(self._forwards, draw, sample_shape)

    def _back(
        self, ways: list[Tensor], pick: Callable[[Tensor], Tensor], shape: Sequence[int] = ()
    ) -> Tensor:
        """Choose tags from the last to the first, by `pick` from the scores of the prefixes."""
        tag = pick((ways[-1] + self.chain.last).expand(*shape, *ways[-1].shape))
        tags = [tag]
        for step in range(self.scores.shape[1] - 1, 0, -1):
            before = pick(ways[step - 1] + self.chain.change.T[tag])
            tag = torch.where(self.real[:, step], before, tag)
            tags.append(tag)
        return torch.stack(tags[::-1], -1).masked_fill(~self.real, 0)


class PooledTags:
    """Mixed marginals (batch, time, tags) of several taggers; `chain` scores successive tags.

    The mode maximises the product of the marginals times that of the chain (Fariselli, Martelli &
    Casadio 2005, posterior Viterbi), so that a chain can rule out tags that do not form spans.
    """

    def __init__(self, marginals: Tensor, lengths: Tensor, chain: Chain | None = None) -> None:
        self.lengths, self.real = lengths, mask_steps(marginals, lengths)
        self.marginals = marginals.masked_fill(~self.real[..., None], 0.0)
        self.chain = chain

    @property
    def mode(self) -> Tensor:
        """The most probable tags, (batch, time), 0 past the end."""
        if self.chain is None:
            return self.marginals.argmax(2)
        return ChainTags(self.marginals.clamp_min(1e-30).log(), self.lengths, self.chain).mode


def mask_steps(scores: Tensor, lengths: Tensor) -> Tensor:
    """Return the mask of real steps, (batch, time), for scores (batch, time, ...)."""
    return torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]


def to_float32(scores: Tensor) -> Tensor:
    """Convert scores to float32 or more.

    Sums of probabilities in half precision lose small terms.
    """
    return scores if scores.dtype is torch.float64 else scores.float()


def draw(scores: Tensor) -> Tensor:
    """Sample ids from logits (..., ids)."""
    return torch.distributions.Categorical(logits=scores, validate_args=False).sample()
