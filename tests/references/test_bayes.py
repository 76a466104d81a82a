"""The generative classifier against Bayes' rule written out with plain counts."""

import tracemalloc
from math import log

import numpy as np
import pytest
import torch

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.models.baselines.ngram_bayes import NgramBayes, NgramBayesSettings
from ensue.models.ngram import NgramSettings, estimate

TEXTS = ["aab", "ab", "ba", "bbba", "abab"]
LABELS = [0, 0, 1, 1, 0]
SHAPE = Fields({"symbol": 2})


def examples(texts: list[str], labels: list[int]) -> Examples:
    ids = np.array([ord(sign) - ord("a") for sign in "".join(texts)])
    return Examples(np.cumsum([0, *map(len, texts)]), {"symbol": ids}, {"target": np.array(labels)})


def by_hand(
    text: str, texts: list[str], exponent: float, prior: float, pseudo_count: float = 1.0
) -> float:
    """Score by bigrams with `<` before and `>` after each text, (count + 1) / (count of the
    first + 3)."""
    ends = [f"<{one}>" for one in texts]
    score = 0.0
    for first, second in zip(f"<{text}", f"{text}>", strict=True):
        pairs = sum(one[i : i + 2] == first + second for one in ends for i in range(len(one) - 1))
        score += log(
            (pairs + pseudo_count) / (sum(one[:-1].count(first) for one in ends) + 3 * pseudo_count)
        )
    return log(prior) + exponent * score


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_bayes_rule_with_counted_bigrams(exponent: float) -> None:
    model = NgramBayesSettings(order=2, smoothing="additive", likelihood_exponent=exponent).build(
        SHAPE, "multiclass", 3
    )
    train = examples(TEXTS, LABELS)
    model.fit(train, train)
    new = ["ab", "bab", "b", "aaaa"]
    told = model(make_batch(examples(new, [0] * 4), np.arange(4)).map(torch.from_numpy))
    for text, probabilities in zip(new, told.probs.tolist(), strict=True):
        scores = [
            by_hand(
                text,
                [one for one, own in zip(TEXTS, LABELS, strict=True) if own == label],
                exponent,
                prior,
            )
            for label, prior in enumerate([4 / 8, 3 / 8])
        ]
        # The third label was never seen, and keeps its prior.
        wanted = [*(7 / 8 * np.exp(scores) / np.exp(scores).sum()), 1 / 8]
        assert probabilities == pytest.approx(wanted, rel=1e-6)


def test_any_language_models_can_stand_for_the_labels() -> None:
    train = examples(TEXTS * 3, LABELS * 3)
    model = NgramBayesSettings(likelihood_exponent=1.0).build(SHAPE, "multiclass", 2)
    settings = NgramSettings(order=3, smoothing="witten-bell")
    parts = [train.select(np.flatnonzero(train.static["target"] == label)) for label in (0, 1)]
    model.models = [estimate(*model._append_ends(part), 3, settings) for part in parts]
    batch = make_batch(train, np.arange(15)).map(torch.from_numpy)
    likelihood = model.likelihood(model.models, batch)
    for label, one in enumerate(model.models):
        text = torch.tensor([[3, 0, 0, 1]])  # the start, a, a, b
        nats, _ = one.nats(text, torch.tensor([[0, 0, 1, 2]]), one.initial(1))
        assert float(likelihood[0, label]) == pytest.approx(-float(nats.sum()))


def test_order_and_exponent_are_chosen_on_the_tune_part() -> None:
    draws = np.random.default_rng(1)

    def drawn(count: int) -> Examples:
        labels = draws.integers(0, 2, count).tolist()
        # Each sign thrice: as evidence it counts once.
        texts = [
            "".join(3 * ("a" if draws.random() < 0.4 + 0.2 * label else "b") for _ in range(6))
            for label in labels
        ]
        return examples(texts, labels)

    train, validation = drawn(300), drawn(300)
    free = NgramBayesSettings().build(SHAPE, "multiclass", 2)
    free.fit(train, validation)
    assert nats(free, validation) <= min(
        nats(
            fitted(train, validation, order=order, smoothing=name, likelihood_exponent=exponent),
            validation,
        )
        + 1e-9
        for order in (1, 2)
        for name in ("kneser-ney", "witten-bell")
        for exponent in (1.0, 0.5, 0.25)
    )
    sure = fitted(train, validation, order=1, smoothing="witten-bell")
    assert sure.exponent < 0.6


def fitted(train: Examples, validation: Examples, **settings) -> NgramBayes:
    model = NgramBayesSettings(**settings).build(SHAPE, "multiclass", 2)
    model.fit(train, validation)
    return model


def nats(model: NgramBayes, part: Examples) -> float:
    return float(
        model.loss(make_batch(part, np.arange(len(part))).map(torch.from_numpy))[0].nats.mean()
    )


@pytest.mark.parametrize(
    ("shape", "kind"),
    [(Fields(numbers=1), "multiclass"), (SHAPE, "multilabel"), (SHAPE, "regression")],
)
def test_what_bayes_rule_is_not_for(shape: Fields, kind: str) -> None:
    with pytest.raises(
        SettingError,
        match="--model ngram-bayes: ngram-bayes needs sequences of symbols with one label each",
    ):
        NgramBayesSettings().build(shape, kind, 2)


def test_many_labels_of_few_words_take_little_memory() -> None:
    """The table of a label had a place for each of a million pairs of words, for a dozen that
    are there."""
    size, draws = 1000, np.random.default_rng(1)
    models = [
        estimate(draws.integers(0, size, 8), np.array([0, 4, 8]), size, NgramSettings(order=2))
        for _ in range(9)
    ]
    tracemalloc.start()
    text = torch.from_numpy(draws.integers(0, size, (4, 5)))
    for model in models:
        model.nats(text[:, :-1], text[:, 1:], model.initial(4), torch.full((4,), 4))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 9 * 200_000
