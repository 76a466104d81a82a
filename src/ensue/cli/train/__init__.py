"""`ensue train VERB`: train a model; one module a verb."""

from cyclopts import App

app = App(name="train", help="Train a model on your data.")
# By name, so that a verb is imported only when it is used.
VERBS = {
    "generate": "Train a language model on text.",
    "classify": "Train a classifier of texts, sequences of numbers or trees.",
    "tag": "Train a tagger of words, such as parts of speech or named entities.",
    "forecast": "Train a forecaster of time series, with prediction intervals.",
}
for verb, about in VERBS.items():
    app.command(f"ensue.cli.train.{verb}:app", name=verb, help=about)
