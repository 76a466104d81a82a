"""Runs of every verb that are made in a second, finished or killed, and what they answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.errors import Interrupted
from ensue.training.contract import Progress

SETTINGS = ["training.steps=4", "training.evaluate_every=2", "training.hardware.threads=1"]
FILE = "FILE"
"""In a request, a file with `Tiny.new`."""

STEPS = ["training.steps=2", "training.evaluate_every=1", "hardware.threads=1"]
STALLED = [
    *("training.steps=8", "training.evaluate_every=2", "training.report_every=1"),
    *("schedule.name=plateau", "schedule.patience=0", "training.hardware.threads=1"),
    "optimiser.learning_rate=1e-12",
]
BUDGET = ["training.epochs=1", "training.patience=1", "hardware.threads=1"]
OTHERS = ["optimiser=sgd", "schedule=constant"]
NO_STATISTICS = "baselines.statistical=[]"


@dataclass(frozen=True)
class Tiny:
    """What the laws and stories that hold for every verb need of one."""

    data: str
    """Content of a file to train on."""
    ending: str
    quick: str
    """A model that is fitted in closed form."""
    ask: Callable[[Any], Any]
    """Ask a trained model something; its answers can be compared."""
    uses: Sequence[str]
    """What `ensue VERB RUN` is given, at the least."""
    arguments: Sequence[str]
    """What it is given with flags of the request; FILE stands for the file `new`."""
    options: Mapping[str, Any]
    """The same flags as keywords."""
    given: Any
    """The data of `arguments` in Python."""
    answers: int
    """How many answers there are to it."""
    cached: str
    """The file of the cache with the training part."""
    tested: str
    """The file of the cache with the test part."""
    trainings: Sequence[tuple[str, Sequence[str]]]
    """Models with settings, whose trainings together read every setting of `training`."""
    new: str = ""
    settings: Sequence[str] = ()
    """Settings without which a training of many models takes long or fails."""

    def write(self, folder: Path) -> Path:
        """Write the file to train on."""
        path = folder / f"data.{self.ending}"
        path.write_text(self.data, encoding="utf-8")
        return path


VERBS = {
    "generate": Tiny(
        data="".join(
            f"the cat number {number * number % 97} sat on the mat. \n" for number in range(300)
        ),
        ending="txt",
        quick="ngram",
        ask=lambda model: model.samples(n=2, length=20, seed=3, novelty=True),
        uses=["--length", "5"],
        arguments=[
            *("--prompt", "the cat sees the road", "--samples", "3", "--length", "9"),
            *("--top-p", "0.9", "--novelty"),
        ],
        options={"samples": 3, "length": 9, "top_p": 0.9, "novelty": True},
        given="the cat sees the road",
        answers=3,
        cached="train.steps.symbol.npy",
        tested="test.steps.symbol.npy",
        trainings=[
            ("gru", [*STALLED, "batching.name=windows", "body.depth=2"]),
            ("window", BUDGET),
            ("window", [*STEPS, *OTHERS, "batching.name=streams"]),
            ("window", [*STEPS, "batching.name=records"]),
        ],
    ),
    "classify": Tiny(
        data="text,label\n"
        + "".join(f"the {n % 3} cat {n % 7},{'ab'[n % 2]}\n" for n in range(120)),
        ending="csv",
        quick="ngram-bayes",
        ask=lambda model: [one.to_json() for one in model.classify(["the 1 cat 2", "the 2 cat"])],
        uses=["the cat 3"],
        new="words\nthe 1 cat 2\nthe 2 cat 1\n",
        arguments=[FILE, "--text", "words"],
        options={"text": "words"},
        given=FILE,
        answers=2,
        cached="train.steps.symbol.npy",
        tested="test.steps.symbol.npy",
        trainings=[
            ("convolution", STALLED),
            ("gru", [*BUDGET, "model.auxiliary=lm", "body.depth=2"]),
            ("convolution", [*STEPS, *OTHERS]),
        ],
    ),
    "tag": Tiny(
        data="".join(f"the\tD\n{'cat' if n % 3 else 'road'}\tN\nsees\tV\n\n" for n in range(80)),
        ending="tsv",
        quick="most-frequent-tag",
        ask=lambda model: model.tag([["the", "cat", "sees"], ["the", "road"]]),
        uses=["the cat"],
        arguments=["the cat sees the road", "--read", "lines"],
        options={"read": "lines"},
        given="the cat sees the road",
        answers=1,
        cached="train.steps.word.npy",
        tested="test.steps.word.npy",
        trainings=[
            ("recurrent", [*STALLED, "body.depth=2"]),
            ("convolution", BUDGET),
            ("convolution", [*STEPS, *OTHERS]),
        ],
        settings=["codec.min_count=1"],
    ),
    "forecast": Tiny(
        data="time,value\n"
        + "".join(f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n % 12 + n % 5}\n" for n in range(120)),
        ending="csv",
        quick="ridge",
        ask=lambda model: [one.to_json() for one in model.forecast()],
        uses=[],
        arguments=["--horizon", "3", "--seed", "5"],
        options={"horizon": 3, "seed": 5},
        given=None,
        answers=1,
        cached="series.steps.values.npy",
        tested="series.steps.values.npy",
        trainings=[
            ("gru", [*STALLED, "body.depth=2", NO_STATISTICS]),
            ("window", [*BUDGET, NO_STATISTICS]),
            ("window", [*STEPS, *OTHERS, NO_STATISTICS]),
        ],
        settings=[NO_STATISTICS],
    ),
}
"""Of every verb, what laws and stories loop over: a new verb adds its entry here."""

DATA = {verb: one.data for verb, one in VERBS.items()} | {
    "forecasts": "id,time,x,y,label\n"
    + "".join(
        f"{n // 5},{n % 5}.5,{n * 7 % 13 / 7:.3f},{n % 9}e-1,{n // 5 % 2}\n" for n in range(300)
    ),
    "trees": "".join(f"({n % 2} (1 It) ({n % 3} (2 was) (4 lovely{n % 5})))\n" for n in range(60)),
    "steps": "id,time,x,note\n"
    + "".join(f"{n // 20},{n % 20},{n * 7 % 13 / 7:.3f},{'abc'[n * n % 3]}\n" for n in range(400)),
}
ENDS = {verb: one.ending for verb, one in VERBS.items()} | {"trees": "txt"}
TASKS = {"forecasts": "classify", "trees": "classify", "steps": "generate"}
"""Of data that bears no verb's name."""
ASK: dict[str, Callable[[Any], Any]] = {verb: one.ask for verb, one in VERBS.items()} | {
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
