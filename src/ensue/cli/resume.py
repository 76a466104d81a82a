"""`ensue resume`: go on with a training that was interrupted or killed, or train a finished one
for longer."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ensue.cli.integer import Integer

app = App(name="resume")


@app.default
def resume(
    run: Path,
    /,
    *,
    minutes: float | None = None,
    epochs: Integer | None = None,
    device: str | None = None,
    json: bool = False,
) -> None:
    """Go on with a training that was interrupted or killed, to the same bits as if it had not been.

    Args:
        run: The folder of the run.
        minutes: Train one that had finished for so much longer.
        epochs: The same, in passes over the training data.
        device: Where to compute from now on: cpu, cuda, cuda:1, mps or auto.
        json: Print one JSON object a line, for programs.
    """
    from ensue import api
    from ensue.cli.progress import Ticking, follow
    from ensue.cli.train.result import show_result

    with Ticking(follow(json)) as watch:
        trained = api.resume(run, minutes=minutes, epochs=epochs, device=device, watch=watch)
    show_result(trained.run, json)
