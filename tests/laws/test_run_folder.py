"""What a run folder promises: whole files or none, one writer, and one clear line for every kind
of damage."""

import errno
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

import ensue.atomic_io as durable
import ensue.training.folder.run as run_module
from ensue.errors import RunError
from ensue.training.contract import Note, Progress, Sample, Snapshot
from ensue.training.folder.arrays import HEADER_BYTES
from ensue.training.folder.checkpoint import Checkpoint, LoopState
from ensue.training.folder.run import Run

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(3)}


def a_run(path: Path) -> Run:
    run = Run.create(path, {"seed": 3, "data": {"file": "poems.txt"}})
    run.write("codec.json", b'{"symbols": "ab"}')
    run.write_arrays(ARRAYS)
    return run


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        Run.open(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    a_run(tmp_path / "run").close()
    run = Run.open(tmp_path / "run")
    assert (tmp_path / "run" / "run.toml").read_text().startswith("format = 4\n")
    assert run.about["seed"] == 3
    assert set(run.about["versions"]) == {"python", "ensue", "torch", "numpy"}
    assert json.loads(run.read("codec.json")) == {"symbols": "ab"}
    arrays = run.read_arrays()
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "weight": [[0, 1, 2], [3, 4, 5]],
        "count": 3,
    }


def test_no_pickle_anywhere(tmp_path: Path) -> None:
    with a_run(tmp_path / "run") as run:
        run.save(Checkpoint(LoopState(), Snapshot({"a": torch.ones(2)}, {}), ARRAYS))
    kinds = {
        path.suffix
        for path in (tmp_path / "run").rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert kinds == {".toml", ".json", ".safetensors"}


def test_create_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match="the folder is not empty; give another folder with --out"):
        Run.create(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunError, match="there is a file of this name"):
        Run.create(tmp_path / "thesis.tex", {})
    a_run(tmp_path / "two words").close()
    with pytest.raises(
        RunError, match=r"there is a run in this folder already.*`ensue resume '.*two words'`"
    ):
        Run.create(tmp_path / "two words", {})


def test_create_takes_an_empty_folder_and_one_that_a_killed_run_had_just_begun(
    tmp_path: Path,
) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / ".lock").touch()
    (tmp_path / ".manifest.json.tmp").touch()
    (tmp_path / "manifest.json").write_text("{}")
    Run.create(tmp_path, {}).close()


def test_discard_removes_it(tmp_path: Path) -> None:
    a_run(tmp_path / "run").discard()
    assert not (tmp_path / "run").exists()


def test_missing_folder_and_folder_that_is_no_run(tmp_path: Path) -> None:
    assert refusal(tmp_path / "bard").endswith(
        "bard: there is no such run folder; check the name for a typing error"
    )
    assert "this is not a run: it has no run.toml; give a run folder" in refusal(tmp_path)
    a_run(tmp_path / "run").close()
    (tmp_path / "run" / "weights.safetensors").unlink()
    assert "weights.safetensors: the file is missing; restore the file from a copy" in refusal(
        tmp_path / "run"
    )
    (tmp_path / "run" / "manifest.json").unlink()
    assert "manifest.json: the file is missing" in refusal(tmp_path / "run")


def test_another_format_names_the_version_that_made_it(tmp_path: Path) -> None:
    a_run(tmp_path / "run").close()
    about = tmp_path / "run" / "run.toml"
    about.write_text(
        re.sub(
            r'ensue = ".*"', 'ensue = "9.1"', about.read_text().replace("format = 4", "format = 5")
        )
    )
    message = "the run has format 5, and this version reads 4; use it with ensue 9.1"
    assert message in refusal(tmp_path / "run")


def test_an_older_format_of_this_version_is_trained_again(tmp_path: Path) -> None:
    a_run(tmp_path / "run").close()
    about = tmp_path / "run" / "run.toml"
    about.write_text(about.read_text().replace("format = 4", "format = 3"))
    message = "the run has format 3, and this version reads 4; train again"
    assert message in refusal(tmp_path / "run")


@pytest.mark.parametrize("name", ["weights.safetensors", "codec.json", "run.toml"])
def test_one_changed_byte_is_seen(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "run").close()
    path = tmp_path / "run" / name
    data = bytearray(path.read_bytes())
    place = len(data) - 3
    data[place] ^= 1
    path.write_bytes(data)
    message = refusal(tmp_path / "run")
    assert f"{name}: the file is damaged: " in message
    assert message.endswith("restore the file from a copy, or train again")


@pytest.mark.parametrize("name", ["weights.safetensors", "codec.json", "manifest.json", "run.toml"])
def test_a_truncated_file_is_seen(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "run").close()
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:-9])
    assert f"{name}: the file is damaged" in refusal(tmp_path / "run")


def test_a_run_can_be_opened_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_run(tmp_path / "run") as run:
        true_verify = run_module._verify

        def verify(path: Path, name: str, sums: list[str]) -> None:
            if name == "weights.safetensors":
                run.write_arrays({"weight": np.ones(3)})  # nothing is written the second time
            true_verify(path, name, sums)

        monkeypatch.setattr(run_module, "_verify", verify)
        assert Run.open(tmp_path / "run").read_arrays()["weight"].tolist() == [1, 1, 1]


def test_run_toml_that_is_huge_or_not_text(tmp_path: Path) -> None:
    a_run(tmp_path / "run").close()
    (tmp_path / "run" / "run.toml").write_bytes(b"\xff\xfe")
    assert "run.toml: the file is damaged" in refusal(tmp_path / "run")
    (tmp_path / "run" / "run.toml").write_bytes(b"#" * 5_000_000)
    assert "it has more than 4000000 bytes" in refusal(tmp_path / "run")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"abc", "it is truncated"),
        ((10**12).to_bytes(8, "little") + b"{}", "it is truncated"),
        (b"\x02" + b"\0" * 7 + b"[]", "its header is not a table"),
        (b"\x02" + b"\0" * 7 + b"{]", "its header is not JSON"),
        ((HEADER_BYTES + 1).to_bytes(8, "little") + b" " * (HEADER_BYTES + 2), "its header claims"),
    ],
)
def test_an_impossible_header_is_not_read(tmp_path: Path, data: bytes, why: str) -> None:
    with a_run(tmp_path / "run") as run:
        run.write("weights.safetensors", data)
        for read in (run.read_arrays, run.map_arrays):
            with pytest.raises(RunError, match=why):
                read()


def test_mapped_arrays_are_those_that_were_written(tmp_path: Path) -> None:
    arrays = {
        name: np.arange(6).astype(kind).reshape(2, 3)
        for name, kind in zip("abcd", KINDS, strict=True)
    }
    with a_run(tmp_path / "run") as run:
        run.write_arrays({**arrays, "none": np.zeros((0, 3), np.float32)})
        mapped = run.map_arrays()
        for name, array in run.read_arrays().items():
            assert (mapped[name].dtype, mapped[name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(mapped[name], array)
        # A file is replaced, not changed: what was mapped stays.
        run.write_arrays({"a": np.zeros(1)})
        np.testing.assert_array_equal(mapped["a"], arrays["a"])


KINDS = (np.uint8, np.float32, np.float64, np.int64)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
    ],
)
def test_mapped_arrays_that_are_not_there_are_refused(tmp_path: Path, entry: dict) -> None:
    head = json.dumps({"a": entry}).encode()
    with a_run(tmp_path / "run") as run:
        run.write("weights.safetensors", len(head).to_bytes(8, "little") + head + bytes(8))
        with pytest.raises(RunError, match=r"weights.safetensors: the file is damaged"):
            run.map_arrays()


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    with (
        Run.create(tmp_path / "two words", {}) as run,
        pytest.raises(
            RunError,
            match=(
                r"no weights.safetensors yet; finish the training with `ensue resume '.*two "
                r"words'`"
            ),
        ),
    ):
        run.read_arrays()


def test_a_crash_between_the_writes_leaves_nothing_that_the_manifest_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop before and after every rename while weights are written for the first and the second
    time."""

    class PowerCut(BaseException):
        pass

    true_replace = os.replace
    for cut in range(6):
        for after in (False, True):
            path = tmp_path / f"{cut}-{after}"
            a_run(path).close()
            run = Run.resume(path)
            left = cut

            def replace(old: object, new: object, after: bool = after) -> None:
                nonlocal left
                left -= 1
                if left < 0 and not after:
                    raise PowerCut
                true_replace(old, new)
                if left < 0:
                    raise PowerCut

            with monkeypatch.context() as patch:
                patch.setattr(os, "replace", replace)
                with pytest.raises(PowerCut):  # noqa: PT012 - the cut is in the one or in the other
                    run.write_arrays({"weight": np.zeros(3)})
                    run.write("report.md", b"# fine")
            run.close()
            weight = Run.open(path).read_arrays()["weight"]
            assert weight.tolist() in ([0, 0, 0], [[0, 1, 2], [3, 4, 5]])
            with Run.resume(path) as again:
                again.write_arrays({"weight": np.ones(3)})
                again.write("report.md", b"# better")
            assert Run.open(path).read("report.md") == b"# better"


def calls_of(write: object, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List what a writing function asks of the disk, in order."""
    seen: list[str] = []
    true_fsync, true_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        seen.append("sync folder" if os.fstat(descriptor).st_mode & 0o40000 else "sync file")
        true_fsync(descriptor)

    def replace(old: object, new: object) -> None:
        seen.append("rename")
        true_replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "replace", replace)
        write(path, b"content")
    return seen


SAFE = ["sync file", "rename", "sync folder"]


def test_content_is_synced_then_renamed_then_the_folder_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calls_of(durable.write_atomically, tmp_path / "file", monkeypatch) == SAFE
    assert (tmp_path / "file").read_bytes() == b"content"
    with a_run(tmp_path / "run") as run:
        checkpoint = Checkpoint(LoopState(), Snapshot({}, {}), {})
        assert calls_of(lambda *_: run.save(checkpoint), tmp_path, monkeypatch) == [
            "sync folder",
            *SAFE,
        ]
        run.record(
            progress(1)
        )  # a new file, whose name must be on the disk before a checkpoint counts on it
        assert calls_of(lambda *_: run.save(checkpoint), tmp_path, monkeypatch) == [
            "sync file",
            "sync folder",
            *SAFE,
        ]


@pytest.mark.slow
def test_a_planted_rename_before_the_sync_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(path: Path, data: bytes) -> None:
        temporary = path.with_name("hasty")
        with temporary.open("wb") as file:
            file.write(data)
            os.replace(temporary, path)
            os.fsync(file.fileno())
        durable.sync_folder(path.parent)

    assert calls_of(hasty, tmp_path / "file", monkeypatch) != SAFE


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with a_run(tmp_path / "run") as run:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(RunError) as caught:
                run.write_arrays({"weight": np.zeros(3)})
        assert str(caught.value).endswith(
            "manifest.json: the disk is full; make room, and try again"
        )
        assert not list((tmp_path / "run").glob(".*.tmp"))
    assert Run.open(tmp_path / "run").read_arrays()["weight"].shape == (2, 3)


def test_a_full_disk_leaves_no_run_that_could_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full; make room, and try again"):
        Run.create(tmp_path / "run", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        with a_run(disk / "run") as run, pytest.raises(RunError, match="the disk is full"):
            run.write_arrays({"weight": np.zeros(100_000)})
        assert Run.open(disk / "run").read_arrays()["weight"].shape == (2, 3)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        Run.create(tmp_path / "file" / "run", {})


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with a_run(tmp_path / "run"):
        with pytest.raises(
            RunError,
            match=rf"the run is in use by process {os.getpid()} on .* since .*; wait for it",
        ):
            Run.resume(tmp_path / "run")
        Run.open(tmp_path / "run")
    Run.resume(tmp_path / "run").close()


@pytest.mark.parametrize(
    ("number", "what"), [(errno.ENOSPC, "the disk is full"), (errno.ENOLCK, "No locks available")]
)
def test_a_lock_that_cannot_be_taken_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    a_run(tmp_path / "run").close()

    def refuse(file: object, how: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("ensue.training.folder.lock.fcntl.flock", refuse)
        with pytest.raises(RunError, match=what):
            Run.resume(tmp_path / "run")
    Run.resume(tmp_path / "run").close()


def test_a_lock_whose_owner_was_killed_is_taken_over(tmp_path: Path) -> None:
    a_run(tmp_path / "run").close()
    hold = (
        f"from ensue.training.folder.lock import Lock; lock = "
        f"Lock(__import__('pathlib').Path({str(tmp_path / 'run')!r}))"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    assert owner.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"in use by process {owner.pid} "):
        Run.resume(tmp_path / "run")
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    Run.resume(tmp_path / "run").close()


def progress(step: int) -> Progress:
    return Progress(step, 10, 0.5, 1.5, None, 0.1, 2.0, 1.0, "symbols", 100.0, 3.0, 50.0)


def test_logs_are_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    with a_run(tmp_path / "run") as run:
        run.record(progress(1))
        run.record(Sample(1, "abc", 3.0))
        run.record(Note("not logged"))
        run.save(Checkpoint(LoopState(step=1), Snapshot({}, {}), {}))
        run.record(progress(2))
        run.record(Sample(2, "abcd", 4.0))
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 3, "lo')
    with pytest.raises(
        RunError, match=r"metrics.jsonl:3: the file is damaged: the line is not JSON"
    ):
        Run.open(tmp_path / "run").rows("metrics.jsonl")
    with Run.resume(tmp_path / "run") as run:
        assert [row["step"] for row in run.rows("metrics.jsonl")] == [1]
        assert run.rows("samples.jsonl") == [{"step": 1, "text": "abc", "nats": 3.0}]
        assert run.rows("others.jsonl") == []
    os.truncate(tmp_path / "run" / "metrics.jsonl", 5)
    with pytest.raises(RunError, match=r"metrics.jsonl: the file is truncated: 5 bytes of"):
        Run.resume(tmp_path / "run")


def test_logs_without_a_checkpoint_are_left_alone(tmp_path: Path) -> None:
    with a_run(tmp_path / "run") as run:
        run.record(progress(1))
    with Run.resume(tmp_path / "run") as run:
        assert len(run.rows("metrics.jsonl")) == 1


def test_a_checkpoint_comes_back_to_the_bit(tmp_path: Path) -> None:
    course = LoopState(step=7, steps=9, nats=0.1 + 0.2, best=1 / 3, norm=None)
    tensors = {
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "bytes": torch.arange(5, dtype=torch.uint8),
    }
    tensors |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5, dtype=torch.float64)}
    with a_run(tmp_path / "run") as run:
        assert run.checkpoint() is None
        run.save(Checkpoint(course, Snapshot(tensors, {"updates": 3}), ARRAYS))
        found = run.checkpoint()
        assert found is not None
        assert found.state == course
        assert found.learner.values == {"updates": 3}
        assert all(
            torch.equal(found.learner.tensors[name], tensor) for name, tensor in tensors.items()
        )
        assert all(np.array_equal(found.best[name], array) for name, array in ARRAYS.items())


@pytest.mark.parametrize("place", [-1, 300, 3])
def test_a_changed_checkpoint_is_seen(tmp_path: Path, place: int) -> None:
    with a_run(tmp_path / "run") as run:
        run.save(Checkpoint(LoopState(), Snapshot({"weight": torch.ones(9)}, {}), {}))
        path = run.path / "checkpoint" / "last.safetensors"
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(RunError, match=r"last.safetensors: the file is damaged"):
            run.checkpoint()


@pytest.mark.parametrize("left_at", range(3))
def test_what_is_removed_is_gone_and_a_crash_on_the_way_leaves_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_at: int
) -> None:
    true_unlink, left = Path.unlink, left_at

    def unlink(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        true_unlink(path, missing_ok)

    with a_run(tmp_path / "run") as run:
        run.write("report.md", b"old")
        run.write("result.json", b"{}")
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(Path, "unlink", unlink)
            run.remove("report.md", "result.json", "never.written")
    again = Run.open(tmp_path / "run")
    assert [again.has(name) for name in ("report.md", "result.json")] == [left_at < 1, left_at < 2]
    assert left_at < 2 or "report.md" not in (tmp_path / "run" / "manifest.json").read_text()
