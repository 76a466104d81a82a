"""`ensue resume`: resume an interrupted training, or train a finished run for longer."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ensue.cli.flags import Integer

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
    """Resume an interrupted or killed training; the result has the same bits as without a break.

    Args:
        run: Run folder.
        minutes: Additional minutes for a finished run.
        epochs: Additional epochs for a finished run.
        device: Device from now on: cpu, cuda, cuda:1, mps or auto.
        json: Print JSON Lines.
    """
    from ensue.cli.progress import Heartbeat, follow

    with Heartbeat(follow(json)) as progress:
        from ensue import api  # it loads torch, which takes seconds

        trained = api.resume(run, minutes=minutes, epochs=epochs, device=device, on_event=progress)
    from ensue.cli.train.result import show_result

    show_result(trained.run, json)
