"""Three minutes of Shakespeare: train on a play (or any text), print the comparison and a page in its manner."""

import sys

import ensue

model = ensue.train("generate", *sys.argv[1:2], minutes=3)
print(model.report)
print(model.generate("ROMEO:", length=600, temperature=0.8))
