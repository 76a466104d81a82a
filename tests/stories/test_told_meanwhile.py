"""Commands that take long say what they do, before anything is silent for long."""

from pathlib import Path

import pytest

from ensue.cli import progress
from ensue.cli.main import main


@pytest.mark.parametrize("command", [["inspect"], ["evaluate"]])
def test_using_a_run_tells_what_is_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    (tmp_path / "a.txt").write_text(
        "The cat sat on the mat, and the dog ran.\n" * 60, encoding="utf-8"
    )
    run = str(tmp_path / "run")
    assert (
        main(["train", "generate", str(tmp_path / "a.txt"), "--model", "ngram", "--out", run]) == 0
    )
    capsys.readouterr()
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    assert main([*command, run]) == 0
    out, err = capsys.readouterr()
    assert {"inspect": "scoring 512 positions", "evaluate": "scoring"}[command[0]] in err
    assert {"inspect": "excess over context", "evaluate": "nats per character"}[command[0]] in out
