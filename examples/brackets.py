"""Source code whose brackets close: count in real code, in the network's, and in a Markov chain's."""

import sys

import ensue

PAIRS = {")": "(", "]": "[", "}": "{"}


def closed_share(text: str) -> float:
    """Give the share of closing brackets that close the bracket opened last, strings and comments not set apart."""
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
    return right / closing if closing else float("nan")


data = sys.argv[1] if len(sys.argv) > 1 else "code"
network = ensue.train("generate", data, minutes=3, settings=["mixture.use=never"])
markov = ensue.train("generate", data, model="ngram", settings=["model.order=4"])
for name, model in (("network", network), ("4-gram", markov)):
    texts = [sample.text for sample in model.samples(n=8, length=1500)]
    share = sum(closed_share(text) for text in texts) / len(texts)
    print(f"{name:8} closes {share:.1%} of its brackets rightly")
