"""The hidden Markov model and the most frequent tag, against the same counted word by word in
plain Python."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from statistics import stdev
from typing import Any

import numpy as np
import pytest
import torch

from ensue.batch import Batch
from ensue.data.codecs.tagged import TaggedWords, get_suffixes
from ensue.data.dataset import Examples, concatenate
from ensue.models.baselines.hmm import HMMSettings
from ensue.models.baselines.most_frequent_tag import MostFrequentTagSettings

TRAIN = [
    ("the/D old/A dog/N barks/V", ["D", "A", "N", "V"]),
    ("the/D dog/N sees/V the/D dogs/N", ["D", "N", "V", "D", "N"]),
    ("old/N dogs/N bark/V", ["N", "N", "V"]),
    ("Anna/P sees/V Otto/P", ["P", "V", "P"]),
]
SENTENCES = [([word.split("/")[0] for word in text.split()], tags) for text, tags in TRAIN]
TAGS = ["A", "D", "N", "P", "V"]
CODEC = TaggedWords(min_count=1).fit([{"words": words} for words, _ in SENTENCES])
SIZES = {**CODEC.shape.symbols, "target": len(TAGS)}
TOLD = [(word, tag) for words, tags in SENTENCES for word, tag in zip(words, tags, strict=True)]


@pytest.fixture(scope="module")
def steps() -> Examples:
    encoded = [
        CODEC.encode({"words": words})[0] | {"target": np.array([TAGS.index(one) for one in tags])}
        for words, tags in SENTENCES
    ]
    return concatenate(encoded, [{} for _ in encoded])


def fitted(settings: Any, steps: Examples) -> Any:
    model = settings.build(SIZES)
    model.fit(steps)
    return model


def make_batch(words: list[str]) -> Batch[torch.Tensor]:
    steps, _ = CODEC.encode({"words": words})
    fields = {name: torch.tensor(np.array(field, np.int64))[None] for name, field in steps.items()}
    return Batch(fields, torch.tensor([len(words)]), torch.ones(1, dtype=torch.bool))


def prior(tag: str) -> float:
    return sum(own == tag for _, own in TOLD) / len(TOLD)


def by_ending(word: str, tag: str) -> float:
    """Brants 2000, equations 7 to 10, with what stands at the root: the tags of words of that
    case."""
    capital = word[0].isupper()
    alike = [(other, own) for other, own in TOLD if other[0].isupper() == capital]
    chance = (sum(own == tag for _, own in alike) + prior(tag)) / (len(alike) + 1)
    trust = stdev(prior(one) for one in TAGS)
    for ending in get_suffixes(word, 10):
        there = [own for other, own in alike if other.lower().endswith(ending)]
        if not there:
            return chance
        chance = (there.count(tag) / len(there) + trust * chance) / (1 + trust)
    return chance


def transition(order: int) -> Callable[..., float]:
    """P(tag | so many tags before it) by deleted interpolation, Brants 2000, equation 6 and
    figure 1, word by word."""
    chain = [[*"^" * order, *tags, "^"] for _, tags in SENTENCES]
    grams = Counter(
        tuple(tags[end - order : end + 1]) for tags in chain for end in range(order, len(tags))
    )

    def left(gram: tuple[str, ...], length: int, without: int) -> float:
        """The share of its last tag, after so many others, when one of its own counts is taken
        away."""
        there = sum(
            count
            for other, count in grams.items()
            if other[order - length :] == gram[order - length :]
        )
        all_ = sum(
            count
            for other, count in grams.items()
            if other[order - length : -1] == gram[order - length : -1]
        )
        return (there - without) / max(all_ - without, 1)

    weights = [1] + [0] * order
    for gram, count in grams.items():
        shares = [left(gram, length, 1) for length in range(order + 1)]
        weights[shares.index(max(shares))] += count
    return lambda *gram: (
        sum(w * left(gram, length, 0) for length, w in enumerate(weights)) / sum(weights)
    )


def joint(
    words: list[str], tags: tuple[str, ...], order: int, chance_of: Callable[..., float]
) -> float:
    """P(tags, words), but for a factor that is the same for all tags."""
    chain, chance = [*"^" * order, *tags, "^"], 1.0
    for end in range(order, len(chain)):
        chance *= chance_of(*chain[end - order : end + 1])
    for word, tag in zip(words, tags, strict=True):
        seen = [own for other, own in TOLD if other == word]
        given_word = (seen.count(tag) + 0.5 * by_ending(word, tag)) / (len(seen) + 0.5)
        chance *= given_word / prior(tag)
    return chance


@pytest.mark.parametrize("order", [2, 1])
@pytest.mark.parametrize(
    "words", [["the", "dog", "barks"], ["Berta", "sees", "cogs"], ["old"], ["42", "dogs", "?"]]
)
def test_the_hidden_markov_model_is_that_of_all_sequences(steps, words, order, monkeypatch):
    monkeypatch.setattr(
        "ensue.models.baselines.hmm.MAX_TRIGRAM_TAGS", 64 if order == 2 else len(TAGS) - 1
    )
    chances = fitted(HMMSettings(), steps)(make_batch(words))
    every = list(product(TAGS, repeat=len(words)))
    chance_of = cache(transition(order))
    exact = np.array([joint(words, tags, order, chance_of) for tags in every])
    exact /= exact.sum()
    for tags, expected in zip(every, exact, strict=True):
        ids = torch.tensor([[TAGS.index(tag) for tag in tags]])
        assert float(chances.log_prob(ids).exp()) == pytest.approx(expected, rel=2e-4)
    assert tuple(TAGS[id] for id in chances.mode[0]) == every[int(exact.argmax())]


def test_the_most_frequent_tag(steps):
    model = fitted(MostFrequentTagSettings(), steps)
    chances = model(make_batch(["the", "dogs", "dog", "zebra"]))
    assert [TAGS[id] for id in chances.mode[0]][:3] == ["D", "N", "N"]
    once = Counter(tag for word, tag in TOLD if [other for other, _ in TOLD].count(word) == 1)
    assert once[TAGS[chances.mode[0, 3]]] == max(once.values())


@pytest.mark.parametrize("settings", [HMMSettings(), MostFrequentTagSettings()])
def test_saved_tables_answer_the_same(steps, settings):
    model, again = fitted(settings, steps), settings.build(SIZES)
    again.load(model.arrays())
    words = make_batch(["Berta", "sees", "dogs"])
    assert again(words).marginals.equal(model(words).marginals)
    assert model.parameter_count > 0
