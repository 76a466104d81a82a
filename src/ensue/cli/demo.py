"""`ensue demo`: from nothing to a trained model in about a minute, on data that is made on this
machine."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

app = App(name="demo")


@app.default
def demo(name: str = "text", /, *, minutes: float = 1.0, json: bool = False) -> None:
    """Train on embedded data for about a minute, and show what comes out.

    Args:
        name: Which one: see `ensue list demos`.
        minutes: Time for all of it; 1 if not given.
        json: Print one JSON object a line, for programs.
    """
    from ensue.api import find_task
    from ensue.cli.train.options import TrainOptions
    from ensue.cli.train.training import train
    from ensue.data.demos import DEMOS
    from ensue.errors import SettingError, did_you_mean
    from ensue.tasks import Choices

    if name not in DEMOS:
        raise SettingError(
            f"there is no demo {name!r}", where="demo", hint=did_you_mean(name, DEMOS)
        )
    found, choices = DEMOS[name], Choices(data=[Path(name)], minutes=minutes)
    find_task(found.task).propose(choices)  # what is wrong with them is told alone
    if not json:
        print(f"The data: {found.description}")
    train(found.task, choices.data, TrainOptions(minutes=minutes, as_json=json))
