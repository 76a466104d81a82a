"""Markov text of order 1 to 6, as Shannon made it by hand: from spelling to words and phrases."""

from argparse import ArgumentParser

import ensue

parser = ArgumentParser(description=__doc__)
parser.add_argument("file", nargs="?", default="text")
given = parser.parse_args()

print("Six n-grams are counted, each in a few seconds for a million characters.", flush=True)
for order in range(1, 7):
    # An n-gram of order n looks at n - 1 symbols.
    model = ensue.train(
        "generate", given.file, model="ngram", settings=[f"model.order={order + 1}"]
    )
    print(f"\n--- order {order}\n\n{model.generate(length=300)}", flush=True)
