"""`ensue train VERB`: train a model."""

from cyclopts import App

from ensue.cli.train.command import make_command
from ensue.tasks import VERBS

app = App(name="train", help="Train a model on your data.")
for name, verb in VERBS.items():
    app.command(make_command(verb), name=name)
