"""A mixture of fitted models is what its weights say, and the choice of its members is cautious."""

from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import norm

from ensue.data.codecs.tag_schemes import Scheme, find_violations, may_follow
from ensue.errors import RunError
from ensue.evaluation.predictions import Predictions, mix_predictions, normalise
from ensue.heads.paths import Chain, ChainTags, PooledTags
from ensue.models.baselines.majority import MajorityClass
from ensue.models.pool import (
    Likelihoods,
    MixtureSettings,
    Pool,
    choose_members,
    fit_weights,
    mix_nats,
)
from ensue.models.quantile_pool import LEVELS, QuantileErrors

DICE = np.random.default_rng(0)
KINDS: dict[str, Any] = {
    "multiclass": lambda: normalise(DICE.normal(size=(6, 4))),
    "ordinal": lambda: normalise(DICE.normal(size=(6, 4))),
    "multilabel": lambda: DICE.normal(size=(6, 4)),
    "regression": lambda: np.abs(DICE.normal(size=(6, 3))) + 0.1,
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_weight_on_one_member_is_that_member(kind: Any) -> None:
    parts = [Predictions(kind, KINDS[kind]()) for _ in range(3)]
    for number, one in enumerate(parts):
        mixed = mix_predictions(parts, np.eye(3)[number][:, None])
        np.testing.assert_allclose(mixed.scores, one.scores, atol=1e-12)


def test_probabilities_of_labels_are_weighted_means() -> None:
    weights = np.array([0.2, 0.5, 0.3])
    for kind in ("multiclass", "ordinal", "multilabel"):
        parts = [Predictions(kind, KINDS[kind]()) for _ in weights]
        mean = sum(w * one.probabilities for w, one in zip(weights, parts, strict=True))
        np.testing.assert_allclose(mix_predictions(parts, weights).probabilities, mean, atol=1e-12)


def test_numbers_have_the_quantiles_of_the_mixture() -> None:
    parts = [Predictions("regression", KINDS["regression"]()) for _ in range(2)]
    mixed = mix_predictions(parts, np.array([0.3, 0.7]))
    spread = norm.ppf(0.95)
    for number, (middle, below, above) in enumerate(mixed.scores):
        quantiles = middle - spread * below, middle, middle + spread * above
        for level, at in zip((0.05, 0.5, 0.95), quantiles, strict=True):
            own = [one.scores[number] for one in parts]
            cdf = [norm.cdf((at - c) / (s if at < c else t)) for c, s, t in own]
            assert 0.3 * cdf[0] + 0.7 * cdf[1] == pytest.approx(level, abs=1e-9)


def test_weights_maximise_the_likelihood() -> None:
    logs = np.log(DICE.dirichlet(np.ones(5), (3, 200))[..., :2])
    weights = fit_weights(logs)
    assert weights.shape == (3, 2)
    np.testing.assert_allclose(weights.sum(0), 1.0)
    for column in range(2):
        found = minimize(
            lambda free, own: mix_nats(own, np.array(free)[:, None]).mean(),
            np.full(3, 1 / 3),
            args=(logs[..., column : column + 1],),
            bounds=[(0, 1)] * 3,
            constraints={"type": "eq", "fun": lambda free: np.sum(free) - 1},
        )
        np.testing.assert_allclose(weights[:, column], found.x, atol=2e-3)


@pytest.mark.parametrize("use", ["auto", "always"])
@pytest.mark.parametrize("seed", range(5))
def test_the_choice_is_never_worse_than_the_best_model_where_it_was_fitted(
    use: Any, seed: int
) -> None:
    dice = np.random.default_rng(seed)
    # Each model knows half of the items, and one knows nothing.
    logs = [np.where(dice.random(300) < 0.5, -0.1, -2.0) for _ in range(3)] + [np.full(300, -3.0)]
    found = choose_members(Likelihoods(logs), np.arange(300), MixtureSettings(use=use))
    alone = min(-one.mean() for one in logs)
    assert found.nats <= alone + 1e-6
    assert found.alone == pytest.approx(alone)
    assert len(found.members) > 1
    assert 3 not in found.members


def test_copies_and_noise_are_not_mixed() -> None:
    good = np.log(DICE.uniform(0.5, 1.0, 400))
    settings = MixtureSettings()
    assert (
        len(choose_members(Likelihoods([good, good.copy()]), np.arange(400), settings).members) == 1
    )
    found = choose_members(Likelihoods([good - 3, good, good - 1]), np.arange(400), settings)
    assert found.members == (1,)
    # The gain of one unit in 400 is chance, however many items it has.
    lucky = good.copy()
    lucky[:100] += np.log(2)
    worse = np.concatenate([lucky[:100], good[100:] - 0.5])
    units = np.concatenate([np.zeros(100), np.arange(1, 301)]).astype(np.int64)
    assert choose_members(Likelihoods([good, worse]), units, settings).members == (0,)
    assert choose_members(
        Likelihoods([good]), np.arange(400), MixtureSettings(use="always")
    ).members == (0,)


def test_a_model_that_holds_a_target_for_impossible_may_be_a_member() -> None:
    certain = np.where(np.arange(300) < 3, -np.inf, -0.01)
    doubtful = np.full(300, -0.7)
    found = choose_members(Likelihoods([certain, doubtful]), np.arange(300), MixtureSettings())
    assert found.members == (0, 1)
    assert np.isfinite(found.nats)


def _chain(allowed: torch.Tensor) -> Chain:
    scores = torch.where(allowed, 0.0, -1e4).double()
    return Chain(scores[-1, :-1], scores[:-1, :-1], scores[:-1, -1])


def test_mixed_tags_follow_each_other_as_the_chain_allows() -> None:
    torch.manual_seed(1)
    marginals = torch.rand(4, 5, 3).double().softmax(2)
    lengths = torch.tensor([5, 3, 1, 4])
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[0, 2] = allowed[3, 2] = False  # I not after O, nor first
    best = PooledTags(marginals, lengths, _chain(allowed)).mode
    for row, length in enumerate(lengths.tolist()):
        valid = [
            path
            for path in product(range(3), repeat=length)
            if all(allowed[a, b] for a, b in zip((3, *path), (*path, 3), strict=True))
        ]
        value = [np.prod([marginals[row, t, tag] for t, tag in enumerate(path)]) for path in valid]
        assert best[row, :length].tolist() == list(valid[int(np.argmax(value))])
        assert not best[row, length:].any()
    free = PooledTags(marginals, lengths)
    assert (free.mode == marginals.argmax(2).masked_fill(~free.real, 0)).all()


@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_tags_that_may_follow_each_other_are_those_without_violations(scheme: Scheme) -> None:
    tags = ["O", "B-A", "I-A", "B-B", "I-B", "S-A", "E-A", "E-B"]
    for path in product(tags, repeat=3):
        pairs = zip(("O", *path), (*path, "O"), strict=True)
        assert all(may_follow(*pair, scheme) for pair in pairs) == (
            not find_violations(path, scheme)
        )


def test_mixed_tags_of_one_chain_have_its_marginals() -> None:
    chain = Chain(torch.randn(3), torch.randn(3, 3), torch.randn(3))
    tags = ChainTags(torch.randn(2, 4, 3), torch.tensor([4, 2]), chain)
    mixed = PooledTags(tags.marginals, tags.lengths)
    torch.testing.assert_close(mixed.marginals, tags.marginals)


def test_a_mixture_is_loaded_as_it_was_saved_or_refused() -> None:
    members = [MajorityClass("multiclass", 3) for _ in range(2)]
    for one, numbers in zip(members, ([0.2, 0.3, 0.5], [0.6, 0.2, 0.2]), strict=True):
        one.numbers = torch.tensor(numbers, dtype=torch.float64)
    saved = Pool(members, np.array([[0.25], [0.75]]), {"more": np.arange(3)})
    fresh = Pool([MajorityClass("multiclass", 3) for _ in range(2)], extra={"more": np.zeros(3)})
    fresh.load(saved.arrays())
    assert {name: one.tolist() for name, one in fresh.arrays().items()} == {
        name: one.tolist() for name, one in saved.arrays().items()
    }
    wrong: list[dict[str, np.ndarray]] = [
        {"weights": np.array([[0.5], [0.6]])},
        {"weights": np.array([[-0.5], [1.5]])},
        {"weights": np.ones((1, 1))},
        {"weights": np.ones((0, 2))},
        {"more": np.zeros(4)},
        {"other": np.zeros(1)},
        {"0.numbers": np.array([2.0, 0.0, -1.0])},
        {"2.numbers": np.zeros(3)},
    ]
    for changed in wrong:
        with pytest.raises(RunError, match="the saved"):
            fresh.load({**saved.arrays(), **changed})
    less = {name: one for name, one in saved.arrays().items() if name != "weights"}
    with pytest.raises(RunError, match="the saved"):
        fresh.load(less)


def test_a_few_items_do_not_speak_against_the_model_of_the_settings() -> None:
    settings, other = MixtureSettings(), np.full(5, -0.01)
    own = np.array([-0.05, -0.06, -0.04, -0.05, -0.06])
    for pair in ([other, own], [own, other]):
        assert choose_members(Likelihoods(pair), np.arange(5), settings).members == (1,)
    many = Likelihoods([np.tile(one, 100) for one in (other, own)])
    assert choose_members(many, np.arange(500), settings).members == (0,)


def test_few_forecasts_leave_out_only_what_is_significantly_worse() -> None:
    best = np.array([1, -2, 3, -1, 2, -3, 1, -2]).reshape(8, 1, 1) / 10
    errors = [np.repeat(one, len(LEVELS), 2) for one in (20 * best, best[::-1] * 1.01, best)]
    units = np.arange(8)
    few = QuantileErrors(errors, 8)
    assert choose_members(few, units, MixtureSettings()).members == (1, 2)
    assert choose_members(few, units, MixtureSettings(use="always")).members == (0, 1, 2)
    one = QuantileErrors([each[:1] for each in errors], 1)  # one forecast says nothing of the next
    assert choose_members(one, units[:1], MixtureSettings()).members == (0, 1, 2)
