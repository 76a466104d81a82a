"""What every head obeys: proper distributions, samples in the support, a fused loss that agrees."""

import pytest
import torch
from torch import nn

from ensue.heads import HEADS, Categorical, CategoricalSettings

FEATURES, SIZE = 4, 5


def heads() -> dict[str, Categorical]:
    torch.manual_seed(0)
    same, other = nn.Embedding(SIZE + 1, FEATURES), nn.Embedding(SIZE + 1, 3)
    return {
        "untied": CategoricalSettings().build(FEATURES, SIZE).double(),
        "tied": CategoricalSettings(tied=True).build(FEATURES, SIZE, same).double(),
        "tied to another width": CategoricalSettings(tied=True)
        .build(FEATURES, SIZE, other)
        .double(),
    }


@pytest.mark.parametrize("name", heads())
def test_symbols(name: str) -> None:
    head = heads()[name]
    features = torch.randn(2, 7, FEATURES, dtype=torch.float64, requires_grad=True)
    target = torch.randint(SIZE, (2, 7))
    distribution = head(features)
    assert distribution.probs.shape == (2, 7, SIZE)
    torch.testing.assert_close(distribution.probs.sum(-1), torch.ones(2, 7, dtype=torch.float64))
    assert distribution.sample().lt(SIZE).all()
    torch.testing.assert_close(
        head.nats(features, target), -distribution.log_prob(target), rtol=0, atol=1e-12
    )
    assert torch.autograd.gradcheck(lambda f: head.nats(f, target), (features,))


def test_tied_weights_are_the_embeddings() -> None:
    table = nn.Embedding(SIZE + 1, FEATURES)
    head = CategoricalSettings(tied=True).build(FEATURES, SIZE, table)
    features = torch.randn(3, FEATURES)
    torch.testing.assert_close(head.scores(features), features @ table.weight[:SIZE].T + head.bias)
    table.weight.data += 1
    torch.testing.assert_close(head.scores(features), features @ table.weight[:SIZE].T + head.bias)


def test_half_precision_features_give_full_precision_probabilities() -> None:
    head = CategoricalSettings().build(FEATURES, SIZE).bfloat16()
    assert head(torch.randn(3, FEATURES, dtype=torch.bfloat16)).probs.dtype is torch.float32


def test_the_catalogue_is_covered_here() -> None:
    assert set(HEADS) == {"categorical"}
