"""Markov text of order 1 to 6, as Shannon made it by hand: how much is spelling, and how much is sense?"""

import sys

import ensue

for order in range(1, 7):
    # An n-gram of order n looks at n - 1 symbols.
    model = ensue.train("generate", *sys.argv[1:2], model="ngram", settings=[f"model.order={order + 1}"])
    print(f"\n--- order {order}\n")
    print(model.generate(length=300))
