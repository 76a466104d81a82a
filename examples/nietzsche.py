"""The classical exercise: windows of 40 characters with a jump of 3, one LSTM of 128, one-hot; four temperatures."""

import sys

import ensue

RECIPE = (
    "body.width=128",
    "model.embedding=0",
    "batching.by=windows",
    "batching.length=40",
    "batching.jump=3",
    "batching.learned=last",
    "batching.rows=128",
    "mixture.use=never",
)

epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
model = ensue.train("generate", *sys.argv[1:2], model="lstm", epochs=epochs, settings=RECIPE)
for temperature in (0.2, 0.5, 1.0, 1.2):
    print(f"\n--- temperature {temperature}\n")
    print(model.generate(length=400, temperature=temperature))
