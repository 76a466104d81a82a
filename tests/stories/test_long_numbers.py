"""Numbers of thousands of digits, wherever a person or a file may write one: our own line, and
what mends it."""

from pathlib import Path

import pytest
from mutated_runs import signed
from tiny_runs import made

from ensue.cli.main import main

LONG = "9" * 5000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("classify", "finished", tmp_path_factory.mktemp("long"), "ngram-bayes")


def told(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ensue: ")
    assert err.count("\n") == 1
    assert len(err) < 2000
    assert "set_int_max_str_digits" not in err
    return err


@pytest.mark.parametrize("number", [LONG, f"-{LONG}", "9_9" * 3000])
def test_in_a_file_of_settings(
    number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my.toml"
    path.write_text(f"# mine\nseed = 3\nminutes = {number}\n")
    err = told(["train", "generate", "--config", str(path), "--show-settings"], capsys)
    assert "my.toml: this is not TOML: line 3 has a number of thousands of digits; see" in err


def test_in_run_toml(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / "run.toml"
    kept = path.read_text()
    try:
        path.write_text(f"long = {LONG}\n{kept}")
        for command in (
            ["classify", str(run), "a cat"],
            ["resume", str(run)],
            ["compare", str(run), str(run)],
        ):
            err = told(command, capsys)
            assert (
                "run.toml: the file is damaged: line 1 has a number of thousands of digits; restore"
            ) in err
    finally:
        path.write_text(kept)


@pytest.mark.parametrize("name", ["codec.json", "calibration.json", "manifest.json"])
def test_in_json_of_a_run(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / name
    kept = path.read_text()
    try:
        path.write_text(f'{{"long": {LONG}}}')
        if name != "manifest.json":
            signed(run)
        assert f"{name}: the file is damaged: " in told(["classify", str(run), "a cat"], capsys)
    finally:
        path.write_text(kept)
        signed(run)


@pytest.mark.parametrize("typed", [f"seed={LONG}", LONG, f"{LONG}=3", f"model.name={LONG}"])
def test_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--set" in told(["train", "generate", "--show-settings", "--set", typed], capsys)


def test_a_config_without_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    err = told(["train", "generate", "--config", "/dev/zero", "--show-settings"], capsys)
    assert "/dev/zero: this is not TOML: it is longer than 4,000,000 bytes; see" in err
