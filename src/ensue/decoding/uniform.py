"""Counter-based random numbers: those of a sample do not depend on the batch.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF
TINY = 2.0**-54
"""Distance that uniform numbers keep from 0 and 1 where quantiles are infinite there."""
_HALF = np.uint64(32)
_WORD = np.uint64(_LOW)


def uniform(seed: int, samples: ArrayLike, step: int) -> NDArray[np.float64]:
    """Return a uniform number in [0, 1) for each sample number, at one step.

    The seed is the key; step and sample are the counter, 64 bits each.

    >>> bool(uniform(1, [5, 6], step=3)[1] == uniform(1, [6], step=3)[0])
    True
    """
    numbers = np.asarray(samples, dtype=np.int64).astype(np.uint64)
    steps = np.full_like(numbers, step)
    counter = np.stack([steps & _WORD, steps >> _HALF, numbers & _WORD, numbers >> _HALF], axis=-1)
    words = philox(counter, (seed & _LOW, (seed >> 32) & _LOW))
    # 27 and 26 of the bits of two words make the 53 bits of a double.
    high, low = words[..., 0] >> np.uint64(5), words[..., 1] >> np.uint64(6)
    return (high * np.uint64(1 << 26) + low).astype(np.float64) / float(1 << 53)


def philox(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Encrypt counters (..., 4), 32-bit words in uint64, to as many random words.

    >>> [f"{word:08x}" for word in philox(np.zeros(4, dtype=np.uint64), (0, 0)).tolist()]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    a, b, c, d = (counter[..., word] for word in range(4))
    for turn in range(_ROUNDS):
        first, second = (
            np.uint64((part + turn * step) & _LOW)
            for part, step in zip(key, _KEY_STEPS, strict=True)
        )
        left, right = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b = (right >> _HALF) ^ b ^ first, right & _WORD
        c, d = (left >> _HALF) ^ d ^ second, left & _WORD
    return np.stack([a, b, c, d], axis=-1)
