"""The Keras example: windows of 40 characters, stride 3, one-hot LSTM of 128; four temperatures."""

from argparse import ArgumentParser

import ensue
from ensue.cli.progress import follow

RECIPE = (
    "body.width=128",
    "model.embedding=0",
    "batching.name=windows",
    "batching.sequence_length=40",
    "batching.stride=3",
    "batching.loss_on=last",
    "batching.batch_size=128",
    "mixture.use=never",
)

parser = ArgumentParser(description=__doc__)
parser.add_argument("file", nargs="?", default="text")
parser.add_argument("--epochs", type=int, default=1)
given = parser.parse_args()

watch = follow(as_json=False)
model = ensue.train(
    "generate", given.file, model="lstm", epochs=given.epochs, settings=RECIPE, on_event=watch
)
for temperature in (0.2, 0.5, 1.0, 1.2):
    print(f"\n--- temperature {temperature}\n")
    print(model.generate(length=400, temperature=temperature))
