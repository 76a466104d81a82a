"""A finished run that learns more is a run that has not finished, until it has: whatever stops
it, `resume` goes on."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ensue import api
from ensue.atomic_io import write_errors
from ensue.data.text_parts import TextParts
from ensue.errors import Interrupted, RunError, SettingError, UserError
from ensue.tasks.generate import training as text_training
from ensue.training.contract import Progress
from ensue.training.folder.run import Run

SETTINGS = [
    "body.width=12",
    "embedding=6",
    "evaluate_every=4",
    "sequence_length=32",
    "hardware.threads=1",
]
SAME = ("weights.safetensors", "samples.jsonl")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("going-on")
    text = folder / "text.txt"
    text.write_text(
        "".join(f"the cat number {n * n % 97} sat on the mat. \n" for n in range(400)),
        encoding="utf-8",
    )
    more = [*SETTINGS, "mixture.use=always"]
    api.train(
        "generate", text, out=folder / "run", size="tiny", epochs=1, device="cpu", settings=more
    )
    return folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def stop_at_once(event: Any) -> None:
    """Do what a second Ctrl-C does, in the middle of the training."""
    if isinstance(event, Progress) and event.validation is not None:
        raise KeyboardInterrupt


def test_stopped_while_it_learns_more_it_goes_on_to_the_same_end(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    api.resume(other, epochs=1)
    run = run.rename(tmp_path / "two words")
    with pytest.raises(Interrupted) as told:
        api.resume(run, epochs=1, on_event=stop_at_once)
    assert (
        str(told.value)
        == f"interrupted; resume from the last checkpoint with `ensue resume '{run}'`"
    )
    half_way = Run.open(run)
    assert not any(half_way.has(name) for name in ("result.json", "report.md"))
    assert api.open(run).generate("the cat", length=5)
    with pytest.raises(
        UserError, match="the training has not finished; resume it without a budget"
    ):
        api.resume(run, epochs=1)
    api.resume(run)
    for name in SAME:
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    with pytest.raises(
        UserError, match=r"the training has finished; use it with `ensue generate '.*two words'`"
    ):
        api.resume(run)


def test_a_finished_run_without_its_checkpoint_keeps_its_result(run: Path) -> None:
    shutil.rmtree(run / "checkpoint")
    with pytest.raises(
        RunError,
        match="the run has no checkpoint to resume from; restore the folder checkpoint",
    ):
        api.resume(run, epochs=1)
    assert (run / "result.json").exists()


def full_disk(event: Any) -> None:
    """Do what the disk does that is full at the first validation."""
    if isinstance(event, Progress) and event.validation is not None:
        with write_errors(Path("metrics.jsonl")):
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_says_how_to_go_on_where_there_is_something_to_go_on_from(run: Path) -> None:
    with pytest.raises(RunError) as told:
        api.resume(run, epochs=1, on_event=full_disk)
    hint = f"make room, then resume from the last checkpoint with `ensue resume {run}`"
    assert str(told.value) == f"metrics.jsonl: the disk is full; {hint}"
    api.resume(run)


def test_a_full_disk_before_that_leaves_nothing(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        with write_errors(Path("ids.npy")):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TextParts, "save", full)
    with pytest.raises(RunError, match=r"^ids.npy: the disk is full; make room, and try again$"):
        api.train(
            "generate", finished.parent / "text.txt", out=tmp_path / "new", size="tiny", epochs=1
        )
    assert not (tmp_path / "new").exists()


def test_a_run_that_is_saved_on_a_full_disk(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    model = api.open(run)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(RunError, match="the disk is full; make room, and try again"):
            model.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    model.save(tmp_path / "saved")
    assert api.open(tmp_path / "saved").generate("the", length=5) == model.generate("the", length=5)


def test_a_mixture_that_is_wanted_no_more_is_gone(run: Path) -> None:
    with Run.resume(run) as opened:
        settings = json.loads(json.dumps(opened.about["settings"]))
        settings["mixture"]["use"] = "never"
        opened.describe({"settings": settings})
    api.resume(run, epochs=1)
    assert type(api.open(run).model).__name__ == "SequenceModel"


def test_a_run_goes_on_without_the_gpu_that_it_began_on(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run.resume(run) as opened:
        settings = json.loads(json.dumps(opened.about["settings"]))
        settings["training"]["hardware"]["device"] = "cuda"
        opened.describe(
            {"settings": settings, "hardware": {**opened.about["hardware"], "device": "cuda"}}
        )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingError, match=r"'cuda' is not there: .*; use device cpu"):
        api.resume(run, epochs=1)
    with pytest.raises(SettingError, match="'cdua' is not a device"):
        api.resume(run, epochs=1, device="cdua")
    assert Run.open(run).has("result.json")
    notes: list[Any] = []
    api.resume(run, epochs=1, device="cpu", on_event=notes.append)
    assert any("device is cpu, was cuda" in getattr(note, "text", "") for note in notes)


def test_settings_that_contradict_each_other_are_told_before_the_data_is_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingError, match="dropout between layers needs more than one layer"):
        api.train("generate", tmp_path / "missing.txt", size="tiny", settings=["body.dropout=0.2"])


def test_a_gpu_that_is_not_there_is_told_before_the_data_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingError, match="'cuda' is not there"):
        api.train(
            "generate", tmp_path / "missing.txt", size="tiny", device="cuda", out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model", ["ngram", "window"])
def test_the_n_gram_is_fitted_on_the_threads_that_are_written_down(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    found: list[int] = []
    true = text_training.fit_ngram

    def count(*given: Any) -> Any:
        found.append(torch.get_num_threads())
        return true(*given)

    monkeypatch.setattr(text_training, "fit_ngram", count)
    before = torch.get_num_threads()
    settings = ["training.hardware.threads=3", *([] if model == "ngram" else ["steps=2"])]
    api.train(
        "generate",
        finished.parent / "text.txt",
        model=model,
        out=tmp_path / "run",
        settings=settings,
    )
    torch.set_num_threads(before)
    assert found == [3]
    machine = Run.open(tmp_path / "run").about["hardware"]
    assert (machine["threads"], machine["device"]) == (3, "cpu")
