"""`ensue train VERB`: train a model."""

from cyclopts import App

from ensue.cli.train.command import make_command

app = App(name="train", help="Train a model on your data.")
VERBS = {
    "generate": (
        "Train a language model on text.",
        "Text files, folders, tables with a text column, or a demo (`ensue list demos`); by "
        "default the demo `text`.",
    ),
    "classify": (
        "Train a classifier of texts, sequences of numbers or trees, with calibrated probabilities "
        "and prediction sets.\n\nLabels may be multiclass, multilabel, ordinal or numeric.",
        "Labelled tables (CSV, TSV, JSONL, Parquet), a folder per class, fastText files, or a "
        "demo; by default the demo `modules`.",
    ),
    "tag": (
        "Train a tagger of words, such as parts of speech or named entities.",
        "Tagged sentences (CoNLL-U, CoNLL columns, TSV, JSON Lines), or a demo; by default the "
        "demo `tokens`.",
    ),
    "forecast": (
        "Train a forecaster of time series, with prediction intervals.",
        "Tables of series, long or wide (CSV, TSV, JSONL, Parquet), or a demo; by default the "
        "demo `ball`.",
    ),
}
"""By verb: what it trains, and what its data is."""
for verb, (about, data_help) in VERBS.items():
    app.command(make_command(verb, about, data_help), name=verb)
