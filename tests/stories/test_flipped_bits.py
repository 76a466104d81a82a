"""One bit that flips anywhere in a run folder is noticed, or has no effect on any answer."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue import api
from ensue.data.examples import kept_examples
from ensue.data.store import kept
from ensue.errors import Interrupted, RunError
from ensue.training.contract import Progress
from ensue.training.run import Run

SETTINGS = ["training.steps=4", "training.evaluate_every=2", "training.machine.threads=1"]
DATA = {
    "generate": "".join(f"the cat number {number * number % 97} sat on the mat. \n" for number in range(300)),
    "classify": "text,label\n" + "".join(f"the {n % 3} cat {n % 7},{'ab'[n % 2]}\n" for n in range(120)),
    "tag": "".join(f"the\tD\n{'cat' if n % 3 else 'road'}\tN\nsees\tV\n\n" for n in range(80)),
    "forecast": "time,value\n" + "".join(f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n % 12 + n % 5}\n" for n in range(120)),
}
ENDS = {"generate": "txt", "tag": "tsv"}
ASK: dict[str, Callable[[Any], Any]] = {
    "generate": lambda model: model.samples(n=2, length=20, seed=3, novelty=True),
    "classify": lambda model: [one.to_json() for one in model.classify(["the 1 cat 2", "the 2 cat"])],
    "tag": lambda model: model.tag([["the", "cat", "sees"], ["the", "road"]]),
    "forecast": lambda model: [one.to_json() for one in model.forecast()],
}
FLIPS = 1250
"""Of each run; there are eight."""


def killed_at_once(event: Any) -> None:
    if isinstance(event, Progress) and event.validation is not None:
        raise KeyboardInterrupt


def made(verb: str, state: str, folder: Path) -> Path:
    data, out = folder / f"{verb}.{ENDS.get(verb, 'csv')}", folder / "run"
    data.write_text(DATA[verb])
    how: dict[str, Any] = {"size": "tiny", "settings": SETTINGS, "device": "cpu", "model": "lstm"}
    if state == "finished":
        ensue.train(verb, data, out=out, **how)
    else:
        with pytest.raises(Interrupted):
            ensue.train(verb, data, out=out, watch=killed_at_once, **how)
    return out


def look(verb: str, run: Path, name: str) -> None:
    """Look at what a bit may have flipped in, as the verbs do before they use it. Raises RunError."""
    if name.startswith("cache/"):
        kept(run / "cache") if verb == "generate" else kept_examples(run / "cache")
    elif name.startswith("checkpoint/") or name.endswith(".jsonl"):
        Run.resume(run).close()
    else:
        Run.open(run)


def answers(verb: str, run: Path, again: Path) -> list[Any]:
    """Give all that a run answers, and the weights with which it ends where it goes on."""
    from ensue.tasks.evaluation import evaluate

    found: list[Any] = []
    model = ensue.open(run)
    found.append(repr(ASK[verb](model)))
    done = (run / "result.json").exists()
    if verb == "generate":
        found.append(evaluate(model, []).to_json())
    elif verb != "forecast" or done:
        found.append(model.evaluate([]).metrics)
    shutil.rmtree(again, ignore_errors=True)
    shutil.copytree(run, again)
    api.resume(again, **({"epochs": 1} if done else {}))
    return [*found, (again / "weights.safetensors").read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("state", ["finished", "killed"])
@pytest.mark.parametrize("verb", DATA)
def test_every_flip_is_noticed_or_without_effect(verb: str, state: str, tmp_path: Path) -> None:
    run, dice = made(verb, state, tmp_path), random.Random(f"{verb} {state}")
    Run.resume(run).close()  # what was logged after the last checkpoint is cut off
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    sizes = [path.stat().st_size for path in files]
    expected, unnoticed = answers(verb, run, tmp_path / "again"), 0
    for number in range(FLIPS):
        # By files and by bytes in turn: else a few large files would take all of them. Nobody reads an old lock.
        path = (
            dice.choices(files, sizes)[0] if number % 2 else dice.choice([one for one in files if one.name != ".lock"])
        )
        true = path.read_bytes()
        place, bit = dice.randrange(len(true)), dice.randrange(8)
        name = str(path.relative_to(run))
        path.write_bytes(true[:place] + bytes([true[place] ^ 1 << bit]) + true[place + 1 :])
        try:
            look(verb, run, name)
            unnoticed += 1
            found = answers(verb, run, tmp_path / "again")
            assert found == expected, f"bit {bit} of byte {place} in {name}"
        except RunError as error:
            assert "\n" not in str(error)  # noqa: PT017 - where there is one
        finally:
            path.write_bytes(true)
    assert unnoticed < FLIPS // 4
    assert answers(verb, run, tmp_path / "again") == expected
