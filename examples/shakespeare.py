"""Train on Shakespeare (or any text) for three minutes; print the report and a sample."""

from argparse import ArgumentParser

import ensue
from ensue.cli.progress import follow

parser = ArgumentParser(description=__doc__)
parser.add_argument("file", nargs="?", default="text")
parser.add_argument("--minutes", type=float, default=3)
given = parser.parse_args()

model = ensue.train("generate", given.file, minutes=given.minutes, on_event=follow(as_json=False))
print(model.report)
print(model.generate("ROMEO:", length=600, temperature=0.8))
