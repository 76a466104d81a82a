"""Each filter against a plain version, one row and one symbol at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ensue.decoding import sampling as filters
from ensue.decoding.draw import draw
from ensue.decoding.sampling import SamplingSettings, apply
from ensue.errors import SettingError
from ensue.settings import read

# Of few digits: two that differ in the last bit alone can be equal once their logarithm is taken.
some = st.floats(0.01, 1).map(lambda weight: round(weight, 6))
weights = st.lists(st.one_of(st.just(0.0), some), min_size=2, max_size=7).filter(any)
share = st.floats(0.05, 0.99)


def scores_of(weights):
    with np.errstate(divide="ignore"):
        return np.log(np.array([weights]) / sum(weights))


def normal(probs):
    return [p / sum(probs) for p in probs]


def plain_mass(probs, order, mass):
    kept, total = [0.0] * len(probs), 0.0
    for id in order:
        if total >= mass:
            break
        kept[id] = probs[id]
        total += probs[id]
    return normal(kept)


def check(scores, expected):
    np.testing.assert_allclose(np.exp(scores)[0], expected, atol=1e-12)


@given(weights, st.floats(0.2, 3))
def test_temperature(weights, temperature):
    powers = [w ** (1 / temperature) for w in normal(weights)]
    check(filters.apply_temperature(scores_of(weights), temperature), normal(powers))


@given(weights)
def test_temperature_zero_takes_the_first_of_the_likeliest(weights):
    expected = [0.0] * len(weights)
    probs = np.exp(scores_of(weights))[0].tolist()
    expected[probs.index(max(probs))] = 1.0
    check(filters.apply_temperature(scores_of(weights), 0), expected)


def test_the_coldest_temperature_neither_overflows_nor_warns():
    check(filters.apply_temperature(scores_of([0.3, 0.7, 0.0]), 1e-308), [0, 1, 0])


@given(weights, st.integers(1, 7))
def test_top_k(weights, count):
    kept = sorted(range(len(weights)), key=lambda id: (-weights[id], id))[:count]
    check(
        filters.keep_top(scores_of(weights), count),
        normal([w if i in kept else 0.0 for i, w in enumerate(weights)]),
    )


@given(weights, share)
def test_nucleus(weights, mass):
    scores = scores_of(weights)
    probs = np.exp(scores)[0].tolist()
    order = sorted(range(len(probs)), key=lambda id: (-scores[0, id], id))
    check(filters.keep_top_p(scores, mass), plain_mass(probs, order, mass))


@given(weights, share)
def test_min_p(weights, least):
    floor = max(weights) * least
    if any(math.isclose(w, floor) for w in weights):
        return
    check(
        filters.keep_probable(scores_of(weights), least),
        normal([w if w >= floor else 0.0 for w in weights]),
    )


@given(weights, share)
def test_typical(weights, mass):
    scores = scores_of(weights)
    probs = np.exp(scores)[0].tolist()
    entropy = -sum(p * math.log(p) for p in probs if p)
    distance = [abs(-math.log(p) - entropy) if p else math.inf for p in probs]
    if any(0 < abs(a - b) < 1e-9 for a in distance for b in distance):
        return
    order = sorted(range(len(probs)), key=lambda id: (distance[id], id))
    check(filters.keep_typical(scores, mass), plain_mass(probs, order, mass))


@given(weights, st.floats(0.5, 3), st.sets(st.integers(0, 6)))
def test_repetition_penalty(weights, penalty, recent):
    mask = np.array([[id in recent for id in range(len(weights))]])
    probs = normal(weights)
    expected = normal([p**penalty if id in recent else p for id, p in enumerate(probs)])
    check(filters.penalize(scores_of(weights), mask, penalty), expected)


def test_the_published_examples_of_typical_and_nucleus_differ():
    # The likeliest symbol is far likelier than expected: nucleus keeps it alone, typical leaves it
    # out.
    scores = scores_of([0.45, 0.15, 0.15, 0.15, 0.1])
    assert np.isfinite(filters.keep_top_p(scores, 0.4))[0].tolist() == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert np.isfinite(filters.keep_typical(scores, 0.4))[0].tolist() == [
        False,
        True,
        True,
        True,
        False,
    ]


@given(weights, st.floats(0.2, 3))
def test_temperature_is_applied_exactly_once(weights, temperature):
    everything = np.ones((1, len(weights)), dtype=bool)
    shaped = apply(SamplingSettings(temperature=temperature), scores_of(weights), everything)
    expected = torch.softmax(torch.from_numpy(scores_of(weights)) / temperature, dim=1)
    np.testing.assert_allclose(np.exp(shaped), expected.numpy(), atol=1e-12)


@given(weights)
def test_the_defaults_change_nothing(weights):
    everything = np.ones(len(weights), dtype=bool)
    check(apply(SamplingSettings(), scores_of(weights), everything), normal(weights))


def test_the_order_is_temperature_then_nucleus():
    settings = SamplingSettings(temperature=0.5, top_p=0.75)
    shaped = np.exp(apply(settings, scores_of([0.6, 0.3, 0.1]), np.ones(3, dtype=bool)))
    # At temperature 0.5 the first symbol has 0.36 / 0.46 = 0.78 of the mass.
    np.testing.assert_allclose(shaped, [[1, 0, 0]])


def test_what_is_allowed_but_impossible_is_equally_likely():
    allowed = np.array([[False, True, True], [True, True, False]])
    shaped = np.exp(
        apply(SamplingSettings(), np.repeat(scores_of([1.0, 0.0, 0.0]), 2, axis=0), allowed)
    )
    np.testing.assert_allclose(shaped, [[0, 0.5, 0.5], [1, 0, 0]])


@given(weights, st.floats(0, 1, exclude_max=True))
def test_a_draw_inverts_the_cumulative_distribution(weights, number):
    probs, total = normal(weights), 0.0
    drawn = int(draw(scores_of(weights), np.array([number]))[0])
    assert probs[drawn] > 0
    total = sum(probs[:drawn])
    assert total - 1e-12 <= number <= total + probs[drawn] + 1e-12


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_a_draw_never_lands_on_the_impossible(number):
    scores = scores_of([0.0, 0.1, 0.0, 0.7, 0.3, 0.0])
    assert draw(scores, np.array([number]))[0] == (1 if number == 0 else 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", float("inf")),
        ("top_p", 0),
        ("top_p", 1.5),
        ("top_k", -3),
        ("repetition_penalty", float("inf")),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(SettingError, match=f"'{name}' cannot be {value}: input should be"):
        read(SamplingSettings, {name: value})
