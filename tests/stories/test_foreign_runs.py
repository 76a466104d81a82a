"""Runs and files of settings that somebody else made: nothing in them is executed, by any road."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from tiny_runs import VERBS

import ensue
from ensue.cells import CELLS
from ensue.cli.main import main
from ensue.engine import trace
from ensue.errors import RunError

CELL = """
open({marker!r}, "w").close()
class Leaky(Cell):
    states = ("h",)
    gates = ("new",)
    def equation(self, gate, state, weight):
        return {{"h": 0.9 * state.h + 0.1 * tanh(gate.new)}}
"""
QUICK = ["--size", "tiny", "--set", "training.steps=2", "--set", "hardware.threads=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each verb with a person's own cell, whose file is gone."""
    folder = tmp_path_factory.mktemp("foreign")
    cell = folder / "leaky.py"
    cell.write_text(CELL.format(marker=str(folder / "typed")))
    for verb, tiny in VERBS.items():
        (folder / f"of {verb}").mkdir()
        command = [
            "train",
            verb,
            str(tiny.write(folder / f"of {verb}")),
            "--out",
            str(folder / verb),
            *QUICK,
            *(part for one in tiny.settings for part in ("--set", one)),
        ]
        assert main([*command, "--model", str(cell)]) == 0
    assert (folder / "typed").exists()
    (folder / "typed").unlink()
    cell.unlink()
    return folder


def with_cell(run: Path, cell: str) -> Path:
    """Put a cell into the settings of a run, and its right sum into the manifest."""
    about, manifest = run / "run.toml", run / "manifest.json"
    text, count = re.subn(
        r"(?m)^cell = .*$", lambda _: f"cell = {json.dumps(cell)}", about.read_text()
    )
    assert count
    about.write_text(text)
    sums = json.loads(manifest.read_text())
    sums["sha256"]["run.toml"] = [hashlib.sha256(text.encode()).hexdigest()]
    manifest.write_text(json.dumps(sums))
    return run


def commands(verb: str, run: str, data: str) -> list[list[str]]:
    own = [["inspect", run], ["export", run, f"{run}.arpa"]] if verb == "generate" else []
    config = ["train", verb, data, "--config", f"{run}/run.toml"]
    shared = [
        ["evaluate", run, data],
        ["evaluate", run],
        ["resume", run],
        ["resume", run, "--epochs", "1"],
    ]
    return [
        [verb, run, *VERBS[verb].uses],
        *own,
        *shared,
        [*config, "--show-settings"],
        [*config, "--out", f"{run}-new"],
    ]


def refused(capsys: pytest.CaptureFixture[str], command: list[str]) -> str:
    capsys.readouterr()
    assert main(command) == 2, command
    out, err = capsys.readouterr()
    assert out == "", command
    assert err.startswith("ensue: "), command
    assert err.count("\n") == 1, command
    return err


@pytest.mark.parametrize("verb", VERBS)
def test_a_stored_program_is_all_that_is_needed(
    verb: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = str(folder / verb), str(VERBS[verb].write(folder / f"of {verb}"))
    # A forecaster scores later steps than those of its own data.
    fails = [["evaluate", run, data]] if verb == "forecast" else []
    for command in commands(verb, run, data):
        if command[0] not in ("train", "export", "resume") and command not in fails:
            assert main(command) == 0, command
    assert main(["train", verb, data, "--config", f"{run}/run.toml", "--show-settings"]) == 0
    assert main(["compare", run, run]) == 0
    ensue.open(run)
    capsys.readouterr()


@pytest.mark.parametrize("verb", VERBS)
def test_a_python_file_in_a_run_is_never_executed(
    verb: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "bard"
    ensue.open(folder / verb).save(run)
    (run / "evil.py").write_text(CELL.format(marker=str(tmp_path / "executed")))
    with_cell(run, "bard/evil.py")
    monkeypatch.chdir(tmp_path)
    for command in commands(verb, "bard", str(VERBS[verb].write(folder / f"of {verb}"))):
        err = refused(capsys, command)
        assert "bard/run.toml: the Python file 'bard/evil.py' is not run from here; " in err
    with pytest.raises(RunError, match="is not run from here"):
        ensue.open(run)
    assert (
        main(["compare", "bard", str(folder / verb)]) == 0
    )  # says what stands there, and opens no model
    if verb == "generate":
        err = refused(
            capsys,
            ["train", "classify", str(folder / "of classify" / "data.csv"), "--pretrained", "bard"],
        )
        assert "bard/run.toml: the Python file 'bard/evil.py' is not run from here; " in err
    assert not (tmp_path / "executed").exists()


NESTED = {
    "classify": (
        'body = {name = "recurrent", cell = "evil.py"}\nname = "network"',
        'body = {name = "bidirectional", cell = "evil.py"}\nname = "network"',
        'name = "lm-bayes"\nsequence = {body = {name = "recurrent", cell = "evil.py"}}',
    ),
    "tag": (
        'name = "tagger"\nbody = {name = "bidirectional", cell = "evil.py"}',
        'name = "tagger"\nspelling = {name = "recurrent", cell = "evil.py"}',
    ),
    "forecast": ('name = "autoregressive"\nbody = {name = "recurrent", cell = "evil.py"}',),
    "generate": ('name = "sequence"\nbody = {name = "recurrent", cell = "evil.py"}',),
}


@pytest.mark.parametrize(
    ("verb", "model"), [(verb, one) for verb, models in NESTED.items() for one in models]
)
def test_a_python_file_in_a_file_of_settings_is_never_executed(
    verb: str,
    model: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text(CELL.format(marker="executed"))
    Path("my.toml").write_text(f"[model]\n{model}\n")
    command = [
        "train",
        verb,
        str(VERBS[verb].write(folder / f"of {verb}")),
        "--config",
        "my.toml",
        "--show-settings",
    ]
    err = refused(capsys, command)
    told = (
        "ensue: my.toml: the Python file 'evil.py' is not run from here; remove it there and pass "
    )
    assert err.startswith(f"{told}--set model.")
    assert not Path("executed").exists()
    # What the message advises works.
    Path("my.toml").write_text(f"[model]\n{model}\n".replace(', cell = "evil.py"', ""))
    assert main([*command, *err.removeprefix(told).split()]) == 0
    assert Path("executed").exists()
    assert "evil.py" in capsys.readouterr().out


DAMAGES = [
    ("[", "{"),
    ('"tanh"', '"system"'),
    ('"stop":', '"stop":9'),
    ("0.9", "1e99"),
    ('"outputs":[', '"outputs":[99,'),
]


@pytest.mark.parametrize(("before", "after"), DAMAGES)
@pytest.mark.parametrize("verb", ["generate", "tag"])
def test_a_damaged_program_is_one_line(
    verb: str,
    before: str,
    after: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "bard"
    ensue.open(folder / verb).save(run)
    cell = json.loads(re.findall(r'(?m)^cell = (".*")$', (run / "run.toml").read_text())[0])
    with_cell(run, cell.replace(before, after))
    for command in commands(verb, str(run), str(VERBS[verb].write(folder / f"of {verb}"))):
        err = refused(capsys, command)
        assert f"{run}/run.toml: the program of the cell is damaged: " in err


def test_a_stack_of_billions_of_layers_is_refused_at_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "bard"
    ensue.open(folder / "generate").save(run)
    cell = json.loads(re.findall(r'(?m)^cell = (".*")$', (run / "run.toml").read_text())[0])
    (run / "run.toml").write_text(
        re.sub(r"(?m)^depth = .*$", f"depth = {2**31}", (run / "run.toml").read_text())
    )
    assert (
        "body.depth" in (err := refused(capsys, ["generate", str(with_cell(run, cell))]))
        or "'depth'" in err
    )


SETTINGS = [
    "5",
    '"x"',
    "[1]",
    '{task = "generate", model = 5}',
    '{model = {name = ["a"]}}',
    "{model = {body = 3}}",
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_of_another_shape_are_one_line(
    settings: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "bard"
    ensue.open(folder / "generate").save(run)
    text = re.sub(r"(?ms)^\[settings\].*?(?=^\[(?!settings))", "", (run / "run.toml").read_text())
    text = re.sub(r"(?ms)^\[settings.*?(?=^\[(?!settings)|\Z)", "", text)
    (run / "run.toml").write_text(f"settings = {settings}\n{text}")
    sums = json.loads((run / "manifest.json").read_text())
    sums["sha256"]["run.toml"] = [hashlib.sha256((run / "run.toml").read_bytes()).hexdigest()]
    (run / "manifest.json").write_text(json.dumps(sums))
    for command in ("generate", "evaluate", "resume", "inspect"):
        assert "run.toml: " in refused(capsys, [command, str(run)])


def test_the_program_of_a_cell_can_be_typed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = trace(CELLS["gru"](), "gru").to_json()
    assert main(["train", "generate", "--show-settings", "--set", f"cell='{program}'"]) == 0
    assert "gate.x" in capsys.readouterr().out
