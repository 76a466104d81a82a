"""Time and memory of nbsvm on as many long texts as a well-known set of film reviews has.

`python benchmarks/long_texts.py`: 25,000 texts of about 230 words, drawn from a Zipf distribution
that leans with the label, with 7 million n-grams of 1 to 3 words. The CPU time of the fit, in which
lengths and C are selected on 2,500 others.
"""

import resource
import time

import numpy as np
import torch

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.models.baselines.nbsvm import NBSVMSettings

WORDS, TEXTS, OTHERS = 60_000, 25_000, 2_500
LEANING = 0.18
"""Standard deviation of the log odds of words between the labels."""
FOLLOWING = 0.27
"""How often a word is one of four that follow the word before it; gives 7 million n-grams."""


def draw(count: int, seed: int) -> Examples:
    """Draw texts and their labels; the words are the same for every seed."""
    draws, fixed = np.random.default_rng(seed), np.random.default_rng(8)
    zipf = 1 / (np.arange(WORDS) + 2.7) ** 1.05
    zipf /= zipf.sum()
    leaning = LEANING * np.random.default_rng(7).normal(size=WORDS)
    after = np.searchsorted(np.cumsum(zipf), fixed.random((WORDS, 4))).clip(max=WORDS - 1).tolist()
    labels = draws.integers(0, 2, count)
    lengths = np.maximum(20, draws.lognormal(np.log(230) - 0.25, 0.7, count).astype(int))
    label, fresh = np.repeat(labels, lengths), np.empty(lengths.sum(), np.int64)
    for one in (0, 1):
        odds = np.cumsum(zipf * np.exp((2 * one - 1) * leaning))
        drawn = np.searchsorted(odds / odds[-1], draws.random((label == one).sum()))
        fresh[label == one] = drawn.clip(max=WORDS - 1)
    follows, which = draws.random(len(fresh)) < FOLLOWING, draws.integers(0, 4, len(fresh))
    words, last = [], int(fresh[0])
    for new, follow, one in zip(fresh.tolist(), follows.tolist(), which.tolist(), strict=True):
        last = after[last][one] if follow else new
        words.append(last)
    return Examples(np.cumsum([0, *lengths]), {"word": np.array(words)}, {"target": labels})


def main() -> None:
    train, validation, test = draw(TEXTS, 1), draw(OTHERS, 2), draw(OTHERS, 3)
    model = NBSVMSettings().build(Fields({"word": WORDS}), "multiclass", 2)
    began = time.process_time()
    model.fit(train, validation)
    seconds = time.process_time() - began
    right = [
        int(model(make_batch(test, np.array([row])).map(torch.from_numpy)).probs.argmax())
        == test.static["target"][row]
        for row in range(OTHERS)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"n-grams of up to {len(model.grams['word'].keys)} words, {model.parameter_count:,} "
        f"weights, {seconds:.0f} s of CPU, {peak:.1f} GB, accuracy {np.mean(right):.3f}"
    )


if __name__ == "__main__":
    main()
