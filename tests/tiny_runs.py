"""Runs of every verb that are made in a second, finished or killed, and what they answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.errors import Interrupted
from ensue.training.contract import Progress

SETTINGS = ["training.steps=4", "training.evaluate_every=2", "training.hardware.threads=1"]
DATA = {
    "generate": "".join(
        f"the cat number {number * number % 97} sat on the mat. \n" for number in range(300)
    ),
    "classify": "text,label\n"
    + "".join(f"the {n % 3} cat {n % 7},{'ab'[n % 2]}\n" for n in range(120)),
    "tag": "".join(f"the\tD\n{'cat' if n % 3 else 'road'}\tN\nsees\tV\n\n" for n in range(80)),
    "forecast": "time,value\n"
    + "".join(f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n % 12 + n % 5}\n" for n in range(120)),
    "forecasts": "id,time,x,y,label\n"
    + "".join(
        f"{n // 5},{n % 5}.5,{n * 7 % 13 / 7:.3f},{n % 9}e-1,{n // 5 % 2}\n" for n in range(300)
    ),
    "trees": "".join(f"({n % 2} (1 It) ({n % 3} (2 was) (4 lovely{n % 5})))\n" for n in range(60)),
}
DATA["steps"] = "id,time,x,note\n" + "".join(
    f"{n // 20},{n % 20},{n * 7 % 13 / 7:.3f},{'abc'[n * n % 3]}\n" for n in range(400)
)
ENDS = {"generate": "txt", "tag": "tsv", "trees": "txt"}
TASKS = {"forecasts": "classify", "trees": "classify", "steps": "generate"}
"""Of data that bears no verb's name."""
ASK: dict[str, Callable[[Any], Any]] = {
    "generate": lambda model: model.samples(n=2, length=20, seed=3, novelty=True),
    "classify": lambda model: [
        one.to_json() for one in model.classify(["the 1 cat 2", "the 2 cat"])
    ],
    "tag": lambda model: model.tag([["the", "cat", "sees"], ["the", "road"]]),
    "forecast": lambda model: [one.to_json() for one in model.forecast()],
    "trees": lambda model: [one.to_json() for one in model.classify(["(_ (_ It) (_ was))"])],
    "steps": lambda model: [one.to_json() for one in model.samples(n=2, length=9, novelty=True)],
}
FITTED = (
    "ngram",
    "ngram-bayes",
    "linear",
    "hmm",
    "most-frequent-tag",
    "ridge",
    "last-step",
    "boosting",
    "naive",
    "seasonal-naive",
    "drift",
    "dtw",
    "regression",
)


def killed_at_once(event: Any) -> None:
    if isinstance(event, Progress) and event.validation is not None:
        raise KeyboardInterrupt


def made(data: str, state: str, folder: Path, model: str = "lstm", **more: Any) -> Path:
    """Train in a folder on the data of a name, "finished" or "killed"; what is fitted at one go
    is never killed."""
    path, out = folder / f"{data}.{ENDS.get(data, 'csv')}", folder / "run"
    path.write_text(DATA[data])
    how: dict[str, Any] = {"model": model, "device": "cpu", **more}
    if model not in FITTED:
        how["settings"] = [*SETTINGS, *more.get("settings", ())]
        how["size"] = "tiny"
    task = TASKS.get(data, data)
    if state == "finished" or model in FITTED:
        ensue.train(task, path, out=out, **how)
    else:
        with pytest.raises(Interrupted):
            ensue.train(task, path, out=out, on_event=killed_at_once, **how)
    return out
