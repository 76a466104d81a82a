"""Philox against the known answers of its authors' library, and against a scalar version on
Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensue.decoding.uniform import philox, uniform

word = st.integers(0, 2**32 - 1)

KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(part, 16) for part in text.split()]


def scalar_philox(counter: list[int], key: list[int]) -> list[int]:
    a, b, c, d = counter
    low, high = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ low, right % 2**32, (left >> 32) ^ d ^ high, left % 2**32
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return [a, b, c, d]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    first, second = words(key)
    assert philox(np.array(words(counter), dtype=np.uint64), (first, second)).tolist() == words(
        answer
    )


@given(st.lists(st.tuples(word, word, word, word), min_size=1, max_size=4), word, word)
def test_equals_the_scalar_version(counters, low, high):
    expected = [scalar_philox(list(counter), [low, high]) for counter in counters]
    assert philox(np.array(counters, dtype=np.uint64), (low, high)).tolist() == expected


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4),
    st.integers(0, 2**40),
)
def test_uniform_depends_on_its_own_sample_alone(seed, samples, step):
    together = uniform(seed, samples, step)
    assert ((together >= 0) & (together < 1)).all()
    assert together.tolist() == [uniform(seed, [sample], step)[0] for sample in samples]


def test_uniform_is_uniform_and_differs_by_seed_sample_and_step():
    numbers = np.stack(
        [uniform(seed, np.arange(500), step) for seed in range(4) for step in range(5)]
    )
    assert len(np.unique(numbers)) == numbers.size
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    expected = numbers.size / 20
    assert (
        (counts - expected) ** 2 / expected
    ).sum() < 50  # chi-square with 19 degrees: p < 0.0002 beyond


def test_seeds_beyond_32_bits_count():
    assert uniform(1, [0], 0)[0] != uniform(1 + 2**32, [0], 0)[0]
