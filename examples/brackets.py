"""Balanced brackets in generated source code: a network against a 4-gram Markov chain."""

from argparse import ArgumentParser

import ensue
from ensue.cli.progress import follow

PAIRS = {")": "(", "]": "[", "}": "{"}


def closed(text: str) -> tuple[int, int]:
    """Count the closing brackets that match the last open one, and all closing brackets.

    Brackets in strings and comments count too.
    """
    opened: list[str] = []
    right = closing = 0
    for character in text:
        if character in PAIRS.values():
            opened.append(character)
        elif character in PAIRS:
            closing += 1
            if opened and opened[-1] == PAIRS[character]:
                right += 1
                opened.pop()
    return right, closing


parser = ArgumentParser(description=__doc__)
parser.add_argument("file", nargs="?", default="code")
parser.add_argument("--minutes", type=float, default=3)
given = parser.parse_args()

watch = follow(as_json=False)
network = ensue.train(
    "generate", given.file, minutes=given.minutes, settings=["mixture.use=never"], on_event=watch
)
markov = ensue.train("generate", given.file, model="ngram", settings=["model.order=4"])
for name, model in (("network", network), ("4-gram", markov)):
    counts = [closed(sample.text) for sample in model.samples(n=8, length=1500)]
    right, closing = (sum(each) for each in zip(*counts, strict=True))
    print(
        f"{name:8} closes {right} of {closing} brackets correctly"
        + (f": {right / closing:.1%}" if closing else "")
    )
