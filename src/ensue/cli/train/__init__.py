"""`ensue train VERB`: learn a verb from data, one verb a file."""

from cyclopts import App

app = App(name="train", help="Learn a verb from data.")
# By name, so that a verb is imported only when it is used.
VERBS = {
    "generate": "Learn what comes next in a text, so as to write more of it.",
    "classify": "Learn one label for a sequence.",
    "tag": "Learn one label for every word of a sentence.",
    "forecast": "Learn what the numbers of series will be, and how sure that is.",
}
for verb, about in VERBS.items():
    app.command(f"ensue.cli.train.{verb}:app", name=verb, help=about)
