"""A run folder that goes away, a quota that is used up, a limit on the size of files: one line,
and nothing is lost."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import VERBS

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.errors import Interrupted, RunError
from ensue.training.contract import Progress

SETTINGS = ["training.steps=6", "training.evaluate_every=2", "training.hardware.threads=1"]


def train(folder: Path, verb: str, watch: Callable[[Any], None], out: str = "run") -> Any:
    return ensue.train(
        verb, VERBS[verb].write(folder), out=folder / out, size="tiny", settings=SETTINGS, device="cpu", on_event=watch,
        model="lstm",
    )  # fmt: skip


def at_the_first_validation(act: Callable[[], object]) -> Callable[[Any], None]:
    done: list[Any] = []

    def watch(event: Any) -> None:
        if isinstance(event, Progress) and event.validation is not None and not done:
            done.append(event)
            act()

    return watch


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_folder_that_is_deleted_while_it_trains(tmp_path: Path, verb: str) -> None:
    with pytest.raises(RunError) as told:
        train(tmp_path, verb, at_the_first_validation(lambda: shutil.rmtree(tmp_path / "run")))
    hint = "train again, or restore the folder and use `ensue resume`"
    assert (
        str(told.value)
        == f"{tmp_path / 'run'}: the folder of the run was removed while it trained; {hint}"
    )
    assert not (tmp_path / "run").exists()


def test_a_run_folder_of_which_something_is_written_while_it_is_deleted(tmp_path: Path) -> None:
    def delete() -> None:
        shutil.rmtree(tmp_path / "run" / "checkpoint")
        (tmp_path / "run" / "run.toml").unlink()

    with pytest.raises(
        RunError, match="the folder of the run was removed while it trained; train again"
    ):
        train(tmp_path, "generate", at_the_first_validation(delete))


def test_a_run_folder_that_is_moved_away_goes_on_where_it_is(tmp_path: Path) -> None:
    whole = train(tmp_path, "generate", lambda _: None, out="whole").run.path
    with pytest.raises(RunError, match="the folder of the run was removed while it trained"):
        train(
            tmp_path,
            "generate",
            at_the_first_validation(lambda: (tmp_path / "run").rename(tmp_path / "moved")),
        )
    api.resume(tmp_path / "moved")
    weights = "weights.safetensors"
    assert (tmp_path / "moved" / weights).read_bytes() == (whole / weights).read_bytes()


@pytest.mark.parametrize(
    "part", ["checkpoint", "weights.safetensors", "metrics.jsonl", "manifest.json"]
)
def test_a_part_of_a_run_that_is_deleted_while_it_trains(tmp_path: Path, part: str) -> None:
    """Either what is lost is written again, or one line says what cannot be."""
    path = tmp_path / "run" / part

    def delete() -> None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    try:
        train(tmp_path, "generate", at_the_first_validation(delete))
    except RunError as error:
        assert "cannot be written: its folder does not exist" in str(error)  # noqa: PT017 - where there is one
        assert (tmp_path / "run" / "weights.safetensors").exists()
    else:
        assert ensue.open(tmp_path / "run").generate(length=5)


def test_a_used_up_quota_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(tmp_path, "generate", lambda _: None, out="whole").run.path
    true_fsync, out = os.fsync, tmp_path / "run"

    def refuse() -> None:
        def fsync(descriptor: int) -> None:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

        monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(RunError) as told:
        train(tmp_path, "generate", at_the_first_validation(refuse))
    what = "your quota on this disk is used up; make room, or ask for a larger quota"
    assert str(told.value).endswith(
        f"{what}, then resume from the last checkpoint with `ensue resume {out}`"
    )
    monkeypatch.setattr(os, "fsync", true_fsync)
    api.resume(out)
    assert (out / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("verb", ["generate", "classify", "tag"])
def test_a_quota_that_is_used_up_by_the_cache_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def refuse(array: Any) -> Iterator[bytes]:
        yield b"the beginning"
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("ensue.cache._pieces", refuse)
    with pytest.raises(
        RunError,
        match=r"cache/.*: your quota on this disk is used up; make room, or ask for a larger",
    ):
        train(tmp_path, verb, lambda _: None)
    assert not (tmp_path / "run").exists()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from ensue.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def limited(size: int, *arguments: str) -> tuple[int, str]:
    """Run a command in a process that may write no file longer than this."""
    command = [sys.executable, "-c", LIMITED, str(size), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    line = [
        "train",
        "generate",
        str(VERBS["generate"].write(tmp_path)),
        "--out",
        str(tmp_path / "run"),
        "--model",
        "lstm",
    ]
    line += [
        "--size",
        "tiny",
        "--device",
        "cpu",
        *(word for one in SETTINGS for word in ("--set", one)),
    ]
    what = (
        "the largest size that a file may have here is reached; raise it with `ulimit -f unlimited`"
    )
    code, told = limited(6_000, *line)
    assert (code, told) == (
        2,
        f"ensue: {tmp_path}/run/cache/train.steps.symbol.npy: {what}, and try again",
    )
    assert not (tmp_path / "run").exists()
    code, told = limited(700_000, *line)
    then = f"then resume from the last checkpoint with `ensue resume {tmp_path}/run`"
    assert (code, told) == (2, f"ensue: {tmp_path}/run/checkpoint/last.safetensors: {what}, {then}")
    assert main(["resume", str(tmp_path / "run")]) == 0
    whole = train(tmp_path, "generate", lambda _: None, out="whole").run.path
    name = "weights.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_run_that_may_not_be_written_answers_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tmp_path, "generate", lambda _: None).run.path

    def refuse(*given: Any, **more: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("ensue.atomic_io.os.replace", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    model = ensue.open(run)
    assert model.samples(length=5, novelty=True)[0].novelty is not None
    with pytest.raises(
        RunError, match=r"cannot be written \(Permission denied\); check the folder"
    ):
        model.save(tmp_path / "copy")


def test_ctrl_c_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    def stop() -> None:
        shutil.rmtree(tmp_path / "run")
        raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, Interrupted, RunError)):
        train(tmp_path, "generate", at_the_first_validation(stop))
