"""Distributions over the tags of a sentence, against the sum, the best and the share of all
sequences there are."""

from itertools import pairwise, product
from typing import TypeAlias

import pytest
import torch
from torch import Tensor

from ensue.heads import TAG_HEADS, Chain, ChainTags, PathHead, StepTags
from ensue.models.baselines.trigram_tags import TrigramTags

TAGS, LENGTHS = 3, torch.tensor([4, 1, 3])


Tags: TypeAlias = StepTags | ChainTags | TrigramTags


@pytest.fixture(params=["steps", "chain", "trigrams"])
def chances(request: pytest.FixtureRequest) -> Tags:
    draws = torch.Generator().manual_seed(3)
    scores, change = (
        torch.randn(size, generator=draws).double() for size in ((3, 4, TAGS), (TAGS, TAGS))
    )
    first, last = torch.randn(2, TAGS, generator=draws).double()
    if request.param == "trigrams":
        return TrigramTags(scores, LENGTHS, torch.rand((TAGS + 1,) * 3, generator=draws).double())
    return (
        StepTags(scores, LENGTHS)
        if request.param == "steps"
        else ChainTags(scores, LENGTHS, Chain(first, change, last))
    )


def every(length: int) -> Tensor:
    """All sequences of tags of a length, padded to 4 with what must not matter."""
    return torch.tensor(
        [[*tags, *[TAGS - 1] * (4 - length)] for tags in product(range(TAGS), repeat=length)]
    )


def by_hand(chances: Tags, row: int, tags: list[int]) -> float:
    """The unnormalised logarithm of a sequence, written out."""
    score = sum(float(chances.scores[row, step, tag]) for step, tag in enumerate(tags))
    if isinstance(chances, ChainTags):
        score += float(chances.chain.first[tags[0]] + chances.chain.last[tags[-1]])
        score += sum(float(chances.chain.change[a, b]) for a, b in pairwise(tags))
    if isinstance(chances, TrigramTags):
        whole = [TAGS, TAGS, *tags, TAGS]
        score += sum(
            float(chances.probabilities[a, b, c].log())
            for a, b, c in zip(whole, whole[1:], whole[2:], strict=False)
        )
    return score


def probabilities(chances: Tags, row: int) -> tuple[Tensor, Tensor]:
    length = int(LENGTHS[row])
    tags = every(length)
    return tags, torch.tensor(
        [by_hand(chances, row, one[:length].tolist()) for one in tags], dtype=torch.float64
    ).softmax(0)


@pytest.mark.parametrize("row", range(3))
def test_log_prob_mode_and_marginals_are_those_of_all_sequences(chances, row):
    tags, exact = probabilities(chances, row)
    whole = torch.zeros(len(tags), 3, 4, dtype=torch.int64)
    whole[:, row] = tags
    ours = torch.stack([chances.log_prob(one)[row] for one in whole]).exp()
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-12)
    length = int(LENGTHS[row])
    assert chances.mode[row, :length].equal(tags[exact.argmax(), :length])
    assert not chances.mode[row, length:].any()
    shares = (torch.nn.functional.one_hot(tags, TAGS) * exact[:, None, None]).sum(0)
    torch.testing.assert_close(chances.marginals[row, :length], shares[:length], rtol=0, atol=1e-12)
    assert not chances.marginals[row, length:].any()


def test_samples_are_drawn_as_often_as_they_are_likely(chances):
    torch.manual_seed(0)
    drawn = chances.sample(torch.Size([20_000]))
    assert drawn.shape == (20_000, 3, 4)
    assert not drawn[:, 1, 1:].any()
    for row in range(3):
        tags, exact = probabilities(chances, row)
        length = int(LENGTHS[row])
        places = TAGS ** torch.arange(length)
        codes = (drawn[:, row, :length] * places).sum(1)
        share = torch.stack(
            [(codes == (one[:length] * places).sum()).double().mean() for one in tags]
        )
        assert float((share - exact).abs().max()) < 0.015


def test_gradients_of_the_partition_are_right_and_are_the_marginals():
    draws = torch.Generator().manual_seed(3)
    scores = torch.randn(3, 4, TAGS, generator=draws).double().requires_grad_()
    chain = [
        torch.randn(size, generator=draws).double().requires_grad_()
        for size in (TAGS, (TAGS, TAGS), TAGS)
    ]

    def partition(scores: Tensor, *chain: Tensor) -> Tensor:
        return ChainTags(scores, LENGTHS, Chain(*chain)).log_partition

    assert torch.autograd.gradcheck(partition, (scores, *chain))
    partition(scores, *chain).sum().backward()
    expected = ChainTags(
        scores.detach(), LENGTHS, Chain(*(one.detach() for one in chain))
    ).marginals
    torch.testing.assert_close(scores.grad, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TAG_HEADS)
def test_padding_changes_nothing_and_every_parameter_learns(name):
    torch.manual_seed(0)
    head: PathHead = TAG_HEADS[name]().build(5, TAGS).double()  # type: ignore[attr-defined]
    for parameter in head.parameters():
        parameter.data.normal_()
    features, tags = torch.randn(3, 4, 5).double(), torch.randint(TAGS, (3, 4))
    padded = features.clone()
    padded[1, 1:] = 1e3
    torch.testing.assert_close(
        head(padded, LENGTHS).log_prob(tags), head(features, LENGTHS).log_prob(tags)
    )
    alone = head(features[1:2, :1], LENGTHS[1:2])
    torch.testing.assert_close(
        alone.log_prob(tags[1:2, :1])[0], head(padded, LENGTHS).log_prob(tags)[1]
    )
    head(features, LENGTHS).log_prob(tags).sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.any() for parameter in head.parameters()
    )


def test_very_sure_scores_overflow_nothing():
    scores, length = torch.full((1, 3, 2), 1e4), torch.tensor([3])
    even = TrigramTags(scores, length, torch.ones(3, 3, 3))
    assert float(even.log_prob(torch.zeros(1, 3, dtype=torch.int64))) == pytest.approx(
        -3 * 0.6931, abs=1e-2
    )
    chances = ChainTags(scores, length, Chain(*(torch.zeros(s) for s in (2, (2, 2), 2))))
    assert float(chances.log_prob(torch.zeros(1, 3, dtype=torch.int64))) == pytest.approx(
        -3 * 0.6931, abs=1e-2
    )


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_no_probability_of_a_long_sentence_is_above_one(scale):
    draws = torch.Generator().manual_seed(0)
    scores, change = (scale * torch.randn(size, generator=draws) for size in ((4, 512, 9), (9, 9)))
    tags = torch.randint(9, (4, 512), generator=draws)
    scores = scores + 30 * scale * torch.nn.functional.one_hot(tags, 9)
    chances = ChainTags(scores, torch.full((4,), 512), Chain(change[0], change, change[1]))
    assert float(chances.marginals.max()) <= 1
    torch.testing.assert_close(chances.marginals.sum(2), torch.ones(4, 512))
    assert float(chances.log_prob(tags).max()) <= 0
