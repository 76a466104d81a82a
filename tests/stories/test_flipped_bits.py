"""One bit that flips anywhere in a run folder is noticed, or has no effect on any answer."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import ASK, VERBS, made

import ensue
from ensue import api
from ensue.data.dataset import load_examples
from ensue.errors import RunError
from ensue.training.folder.run import Run

FLIPS = 1250
"""Of each run; there are eight."""


def look(verb: str, run: Path, name: str) -> None:
    """Look at what a bit may have flipped in, as the verbs do before they use it. Raises
    RunError."""
    if name.startswith("cache/"):
        load_examples(run / "cache")
    elif name.startswith("checkpoint/") or name.endswith(".jsonl"):
        Run.resume(run).close()
    else:
        Run.open(run)


def answers(verb: str, run: Path, again: Path) -> list[Any]:
    """Give all that a run answers, and the weights with which it ends where it goes on."""
    from ensue.tasks.generate.evaluation import evaluate

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
@pytest.mark.parametrize("verb", VERBS)
def test_every_flip_is_noticed_or_without_effect(verb: str, state: str, tmp_path: Path) -> None:
    run, dice = made(verb, state, tmp_path), random.Random(f"{verb} {state}")
    Run.resume(run).close()  # what was logged after the last checkpoint is cut off
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)
    sizes = [path.stat().st_size for path in files]
    expected, unnoticed = answers(verb, run, tmp_path / "again"), 0
    for number in range(FLIPS):
        # By files and by bytes in turn: else a few large files would take all of them. Nobody reads
        # an old lock.
        path = (
            dice.choices(files, sizes)[0]
            if number % 2
            else dice.choice([one for one in files if one.name != ".lock"])
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
