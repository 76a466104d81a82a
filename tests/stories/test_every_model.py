"""Every model of every verb in every size: it can be chosen, and it can be trained and used."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from stub_statsforecast import install
from tiny_runs import VERBS

import ensue
from ensue.cells import CELLS
from ensue.cli.main import main
from ensue.errors import Interrupted, SettingError
from ensue.layers import ENCODERS
from ensue.models.names import is_network
from ensue.settings import SizeName
from ensue.tasks import TASKS, Choices
from ensue.training.contract import Progress

CHOICES = [(verb, name) for verb, task in TASKS.items() for name in task.models.names]
CELL = """
class Mine(Cell):
    states = ("h",)
    gates = ("forget", "candidate")

    def equation(self, gate, state, weight):
        forget = sigmoid(gate.forget)
        return {"h": forget * state.h + (1 - forget) * tanh(gate.candidate)}
"""


def data_for(verb: str, name: str, folder: Path) -> str:
    """Write what this model can learn from."""
    if name == "tree":
        (folder / "trees.txt").write_text(
            "".join(f"({n % 2} (1 a) (0 {'good' if n % 2 else 'bad'}))\n" for n in range(80))
        )
        return str(folder / "trees.txt")
    if name == "dtw":
        rows = [
            [n % 2, *(round(math.sin(t / (3 + n % 2)) + n / 99, 3) for t in range(12))]
            for n in range(60)
        ]
        text = "\n".join(f"{','.join(map(str, values))}:{label}" for label, *values in rows)
        (folder / "waves.ts").write_text(f"@univariate true\n@classLabel true 0 1\n@data\n{text}\n")
        return str(folder / "waves.ts")
    return str(VERBS[verb].write(folder))


@pytest.fixture(autouse=True)
def statsforecast(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.mark.parametrize(("verb", "name"), CHOICES)
def test_each_can_be_chosen_in_every_size(
    verb: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = ["--format", "trees"] if name == "tree" else []
    network = is_network(TASKS[verb].models.resolve(name))
    for size in [["--size", one] for one in get_args(SizeName)] if network else [[]]:
        command = ["train", verb, "--model", name, *size, "--show-settings", *kind]
        assert main(command) == 0, capsys.readouterr().err
        assert f'task = "{verb}"' in capsys.readouterr().out


def interrupt(event: Any) -> None:
    if isinstance(event, Progress) and event.validation is not None:
        raise KeyboardInterrupt


def trains(verb: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train, interrupted after the first step and resumed where it is a network; use the run."""
    run, data = str(folder / "run"), data_for(verb, name, folder)
    steps = ["steps=2", "evaluate_every=1", "hardware.threads=1"]
    settings = [f"training.{one}" for one in steps] + [*VERBS[verb].settings]
    shape = {"format": "trees"} if name == "tree" else {}
    how: dict[str, Any] = {"model": name, "out": run, "settings": settings, **shape}
    if is_network(TASKS[verb].models.resolve(name)):
        how["size"] = "tiny"
        with pytest.raises(Interrupted):
            ensue.train(verb, data, on_event=interrupt, **how)
        assert main(["resume", run]) == 0
    else:
        ensue.train(verb, data, **how)
    assert json.loads(Path(run, "result.json").read_text())["rows"]
    if name not in ("tree", "dtw"):
        assert main([verb, run, *VERBS[verb].uses]) == 0
    assert main(["evaluate", run]) == 0
    capsys.readouterr()


# A layer, or a cell of a person's own, for each verb; words by themselves have no units; a cell
# without gates may end at a perplexity that no number holds.
@pytest.mark.parametrize(
    ("verb", "name"),
    [
        *((verb, "mine.py") for verb in TASKS),
        ("forecast", "window"),
        ("forecast", "bag-of-context"),
        ("classify", "window"),
        ("tag", "bag-of-context"),
        ("tag", "none"),
        ("generate", "irnn"),
    ],
)
def test_some_train(
    verb: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CELL)
    trains(verb, name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "name"), CHOICES)
def test_each_trains_and_can_be_used(
    verb: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trains(verb, name, tmp_path, capsys)


def test_every_layer_and_cell_is_a_model_of_every_verb_that_can_take_it() -> None:
    ahead = {"none", "bidirectional", "convolution"}
    for verb, task in TASKS.items():
        causal = "bidirectional" not in task.models.layers
        names = {*ENCODERS, *CELLS} - (ahead if causal else set())
        assert names <= set(task.models.names)
        for name in {*ENCODERS, *CELLS} - names:
            with pytest.raises(SettingError) as caught:
                task.models.resolve(name)
            assert str(caught.value).startswith(
                f"--model: {verb} takes causal layers only, and {name} may look ahead; choose from "
            )


@pytest.mark.parametrize("verb", TASKS)
def test_an_unknown_name_gets_the_nearest_of_the_verb(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed, near in {"windw": "window", "mingruu": "mingru"}.items():
        assert main(["train", verb, "--model", typed]) == 2
        assert capsys.readouterr().err == (
            f"ensue: --model: there is no model '{typed}' for {verb}; did you mean {near}?\n"
        )


def test_a_setting_overrides_the_size() -> None:
    for task in TASKS.values():
        chosen = Choices(model="gru", size="tiny", assignments=("model.body.width=7",))
        assert task.propose(chosen).settings.model.body.width == 7  # type: ignore[attr-defined]
