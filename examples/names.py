"""Ten names, five real and five generated: guess which are real. The answer is printed last."""

import random
from argparse import ArgumentParser
from itertools import pairwise

import ensue
from ensue.cli.progress import follow

parser = ArgumentParser(description=__doc__)
parser.add_argument("file", nargs="?", default="names")
parser.add_argument("--minutes", type=float, default=1)
given = parser.parse_args()

settings = ["data.format=lines"]
model = ensue.train(
    "generate", given.file, minutes=given.minutes, settings=settings, on_event=follow(as_json=False)
)
seen = model.parts.train
known = [model.codec.decode(seen.ids[begin:end]) for begin, end in pairwise(seen.offsets)]

dice = random.Random(1)
real = dice.sample([name for name in known if name], 5)
invented = [sample.text for sample in model.samples(n=40) if sample.text not in set(known)][:5]
both = [(name, "real") for name in real] + [(name, "invented") for name in invented]
dice.shuffle(both)
print("\nWhich of these are real?\n")
for number, (name, _) in enumerate(both, 1):
    print(f"{number:4}  {name}")
print(
    "\nAnswer: real are",
    ", ".join(str(number) for number, (_, kind) in enumerate(both, 1) if kind == "real"),
)
