"""A bit that flips in the cache of a run is found when it is used; the data is read again, or
refused in one line."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from tiny_runs import VERBS

import ensue
from ensue import api
from ensue.data.readers.in_memory import InMemoryReader
from ensue.errors import Interrupted, RunError
from ensue.settings import parse_toml
from ensue.training.contract import Progress

SETTINGS = ["training.steps=6", "training.evaluate_every=2", "training.hardware.threads=1"]


OF_RUN = (".toml", ".json", ".safetensors", ".npy")


def killed_at_once(event: Any) -> None:
    if isinstance(event, Progress) and event.validation is not None:
        raise KeyboardInterrupt


def train(verb: str, folder: Path, out: str, **more: Any) -> Path:
    """Train beside the data, which is named as it is there."""
    settings = [*SETTINGS]
    if verb == "tag":
        (folder / "vectors.txt").write_text("the 1 0\ncat 0 1\nroad 1 1\n")
        settings.append(f"vectors={folder / 'vectors.txt'}")
    ensue.train(
        verb,
        VERBS[verb].write(folder),
        out=folder / out,
        size="tiny",
        settings=settings,
        **more,
    )
    return folder / out


@pytest.fixture(scope="module", params=[*VERBS])
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Give a verb, and a folder with its data, a run that has finished, and one that was
    stopped."""
    folder = tmp_path_factory.mktemp(request.param)
    train(request.param, folder, "finished", device="cpu")
    with pytest.raises(Interrupted):
        train(request.param, folder, "stopped", device="cpu", on_event=killed_at_once)
    return request.param, folder


@pytest.fixture
def run(runs: tuple[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(runs[1] / name, tmp_path / name))


def flip(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("damage", ["a bit", "no sums", "no cache", "half a file", "not an array"])
def test_a_stopped_run_with_a_damaged_cache_ends_with_the_same_weights(
    runs: tuple[str, Path], run: Callable[[str], Path], damage: str
) -> None:
    stopped, verb = run("stopped"), runs[0]
    path = stopped / "cache" / VERBS[verb].cached
    if damage == "a bit":
        flip(path)
    elif damage == "no sums":
        (stopped / "cache" / "sums.json").unlink()
    elif damage == "no cache":
        shutil.rmtree(stopped / "cache")
    else:
        path.write_bytes(
            path.read_bytes()[:-9] if damage == "half a file" else b"\x93NUMPY\x01\x00\x02\x00{("
        )
    api.resume(stopped)
    assert weights(stopped) == weights(runs[1] / "finished")


def test_other_data_does_not_take_the_place_of_what_was_learned_from(
    runs: tuple[str, Path], run: Callable[[str], Path]
) -> None:
    stopped, (verb, folder) = run("stopped"), runs
    source = VERBS[verb].write(folder)
    kept = source.read_bytes()
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.suffix in OF_RUN}
    flip(stopped / "cache" / VERBS[verb].cached)
    damaged = (stopped / "cache" / VERBS[verb].cached).read_bytes()
    try:
        source.write_bytes(kept[: len(kept) // 2])
        what = rf"{VERBS[verb].cached}: the file is damaged: .*, and {source} has changed since it was read"
        with pytest.raises(
            RunError, match=rf"{what}; restore the cache or {source} from a copy, or train again"
        ):
            api.resume(stopped)
        source.unlink()
        with pytest.raises(
            RunError, match=f"{source} is not there to read it again; restore the cache or {source}"
        ):
            api.resume(stopped)
        now = {path: path.read_bytes() for path in before}
        assert now == {**before, stopped / "cache" / VERBS[verb].cached: damaged}
    finally:
        source.write_bytes(kept)
    api.resume(stopped)  # as the message says
    assert weights(stopped) == weights(folder / "finished")


def test_a_cache_that_disagrees_with_the_codec_is_refused_and_stays(
    runs: tuple[str, Path], run: Callable[[str], Path]
) -> None:
    stopped = run("stopped")
    codec, sums = stopped / "codec.json", json.loads((stopped / "manifest.json").read_text())
    values = json.loads(codec.read_text())
    (values["labels"] if runs[0] == "classify" else values)["odd"] = 1
    codec.write_text(json.dumps(values))
    sums["sha256"]["codec.json"] = [hashlib.sha256(codec.read_bytes()).hexdigest()]
    (stopped / "manifest.json").write_text(json.dumps(sums))
    before = {path.name: path.read_bytes() for path in (stopped / "cache").iterdir()}
    with pytest.raises(
        RunError, match="the cache holds other data than the run was trained on, and"
    ):
        api.resume(stopped)
    assert {path.name: path.read_bytes() for path in (stopped / "cache").iterdir()} == before
    assert not [*stopped.glob(".*.tmp")]


@pytest.mark.parametrize("value", ["text", {"files": 1}, {"files": {"a": 1}}, {"files": {"a": {}}}])
def test_sources_that_nobody_described_are_refused(
    value: Any, runs: tuple[str, Path], run: Callable[[str], Path]
) -> None:
    stopped = run("stopped")
    flip(stopped / "cache" / VERBS[runs[0]].cached)
    about = parse_toml((stopped / "run.toml").read_bytes())
    sums = json.loads((stopped / "manifest.json").read_text())
    (stopped / "run.toml").write_text(tomli_w.dumps(about | {"data": value}))
    sums["sha256"]["run.toml"] = [hashlib.sha256((stopped / "run.toml").read_bytes()).hexdigest()]
    (stopped / "manifest.json").write_text(json.dumps(sums))
    with pytest.raises(RunError, match=r"run\.toml: the file is damaged"):
        api.resume(stopped)


@pytest.mark.parametrize(
    "change",
    [
        {"about": {"files": {}, "format": None}},
        {"about": {"files": {}, "format": "\ud800"}},
        {"findings": ["\ud800"]},
    ],
)
def test_a_description_that_run_toml_cannot_hold_is_read_again(
    change: Any, runs: tuple[str, Path], run: Callable[[str], Path]
) -> None:
    stopped = run("stopped")
    path, sums = stopped / "cache" / "contents.json", stopped / "cache" / "sums.json"
    contents, known = json.loads(path.read_text()), json.loads(sums.read_text())
    path.write_text(json.dumps(contents | change))
    known["sha256"]["contents.json"] = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(json.dumps(known))
    api.resume(stopped)
    assert weights(stopped) == weights(runs[1] / "finished")


def test_evaluate_gives_the_same_figures_from_a_damaged_cache(
    runs: tuple[str, Path], run: Callable[[str], Path]
) -> None:
    finished, (verb, folder) = run("finished"), runs
    expected = figures(folder / "finished")
    flip(finished / "cache" / VERBS[verb].tested)
    assert figures(finished) == expected
    flip(finished / "cache" / VERBS[verb].tested)
    (VERBS[verb].write(folder)).rename(folder / "away")
    try:
        with pytest.raises(RunError, match="is not there to read it again"):
            figures(finished)
    finally:
        (folder / "away").unlink()
        VERBS[verb].write(folder)


def figures(folder: Path) -> Any:
    from ensue.tasks.generate.evaluation import evaluate

    model = ensue.open(folder)
    return (
        evaluate(model, []).to_json() if hasattr(model, "generate") else model.evaluate([]).metrics
    )


def test_examples_that_lay_in_no_file_are_never_replaced_by_the_demo(tmp_path: Path) -> None:
    texts = [f"{word} {number}" for number in range(60) for word in ("good", "bad")]
    reader = InMemoryReader(texts, [text.split()[0] for text in texts])
    run = ensue.train("classify", reader, model="majority", out=tmp_path / "run").run.path
    flip(run / "cache" / "test.static.target.npy")
    with pytest.raises(
        RunError, match="it came from no files that could be read again; restore the cache"
    ):
        ensue.open(run).evaluate([])


@pytest.mark.slow
def test_a_demo_is_made_again(tmp_path: Path) -> None:
    path = ensue.train("tag", "tokens", model="hmm", out=tmp_path / "run").run.path
    expected = figures(path)
    moved = path.rename(tmp_path / "moved")
    flip(moved / "cache" / "test.steps.target.npy")
    assert figures(moved) == expected


def test_a_cache_is_checked_once_in_a_process(
    runs: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures(runs[1] / "finished")
    read: list[str] = []
    monkeypatch.setattr("ensue.cache.hash_inside", lambda folder, name: read.append(name))
    figures(runs[1] / "finished")
    assert read == []


def test_a_cache_holds_what_numpy_would_hold(tmp_path: Path) -> None:
    from ensue.cache import Cache

    cache = Cache(tmp_path / "cache")
    cache.begin()
    arrays = [
        np.arange(6).reshape(2, 3).T,
        np.zeros((0, 4), np.float32),
        np.arange(3, dtype=np.uint8),
        np.ones(()),
    ]
    for number, array in enumerate(arrays):
        cache.save_array(f"{number}.npy", array)
    cache.save_json("contents.json", {"a": 1})
    cache.finish()
    again = Cache(tmp_path / "cache")
    for number, array in enumerate(arrays):
        found = again.load_array(f"{number}.npy")
        assert (found.dtype, found.shape, found.tolist()) == (
            array.dtype,
            array.shape,
            array.tolist(),
        )
        assert np.load(tmp_path / "cache" / f"{number}.npy").tolist() == array.tolist()
    assert again.load_json("contents.json", dict) == {"a": 1}
    assert json.loads((tmp_path / "cache" / "sums.json").read_text())["sha256"].keys() > {
        "0.npy",
        "contents.json",
    }
