"""`ensue demo`: train a model in about a minute, on embedded data."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

app = App(name="demo")


@app.default
def demo(name: str = "text", /, *, minutes: float = 1.0, json: bool = False) -> None:
    """Train on embedded data for about a minute, in a new folder demo-1, demo-2, ...

    Args:
        name: Demo; see `ensue list demos`.
        minutes: Time budget in minutes; 1 by default.
        json: Print JSON Lines.
    """
    from ensue.api import find_task
    from ensue.cli.train.options import TrainOptions
    from ensue.cli.train.training import train, vacant_folder
    from ensue.data.demos import DEMOS
    from ensue.errors import SettingError, did_you_mean
    from ensue.tasks import Choices
    from ensue.tasks.demos import OWNERS

    if name not in DEMOS:
        what = f"there is no demo {name!r}"
        raise SettingError(what, where="demo", hint=did_you_mean(name, DEMOS))
    task, choices = OWNERS[name], Choices(data=(Path(name),), minutes=minutes)
    find_task(task).propose(
        choices
    )  # Wrong choices are reported before the description is printed.
    if not json:
        print(f"Data: {DEMOS[name].description}")
    out = vacant_folder("demo")
    train(task, choices.data, TrainOptions(out=out, minutes=minutes, as_json=json))
