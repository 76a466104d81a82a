"""Runs whose files say something else and whose sums all fit: each is used, or refused in one
line, soon."""

import json
import random
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import tomli_w
from limited import TooLong, limits, peak, within
from mutated_runs import CHECKPOINT, dumped, mutate, npy, signed
from safetensors.numpy import load, save
from tiny_runs import ASK, ENDS, TASKS, made

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.errors import Interrupted, RunError, UserError
from ensue.tasks.generate.evaluation import evaluate
from ensue.training.folder.arrays import pack_tensors, unpack_tensors

MIXED: dict[str, Any] = {"settings": ["mixture.use=always"]}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "characters": ("generate", "lstm", {}),
    "words": ("generate", "gru", {"codec": "words"}),
    "subwords": ("generate", "lstm", {"codec": "subwords"}),
    "bytes": ("generate", "window", {"codec": "bytes"}),
    "tokens": ("generate", "bag-of-context", {"codec": "tokens"}),
    "ngram": ("generate", "ngram", {}),
    "texts": ("classify", "lstm", {}),
    "ngram-bayes": ("classify", "ngram-bayes", {}),
    "nbsvm": ("classify", "nbsvm", {}),
    "lm-bayes": ("classify", "lm-bayes", {}),
    "tagger": ("tag", "lstm", {}),
    "hmm": ("tag", "hmm", {}),
    "most-frequent-tag": ("tag", "most-frequent-tag", {}),
    "steps": ("forecast", "lstm", {}),
    "mlp": ("forecast", "mlp", {}),
    "ridge": ("forecast", "ridge", {}),
    "boosting": ("forecast", "boosting", {}),
    "naive": ("forecast", "naive", {}),
    "seasonal-naive": ("forecast", "seasonal-naive", {}),
    "drift": ("forecast", "drift", {}),
    "dtw": ("forecasts", "dtw", {}),
    "summary-features": ("forecasts", "summary-features", {}),
    "convolution": ("forecasts", "convolution", {}),
    "trees": ("trees", "tree", {}),
    "mixed characters": ("generate", "lstm", MIXED),
    "mixed texts": ("classify", "lstm", MIXED),
    "mixed tags": ("tag", "lstm", MIXED),
    "mixed forecasts": ("forecast", "ridge", MIXED),
    "records": ("steps", "lstm", {}),
    "step-ridge": ("steps", "ridge", {}),
}
SECONDS, BYTES = 20, 1 << 30
"""What one command may take with a tiny run."""
QUICK = {"characters": 3, "mixed texts": 4, "mixed tags": 4, "mixed forecasts": 12}
MUTANTS = 60
"""Of each kind of run, finished and killed."""


def enough(began: float, event: Any) -> None:
    """Stop a training that was told to go on for millions of steps."""
    if perf_counter() - began > SECONDS / 4:
        raise KeyboardInterrupt


def acts(data: str, run: Path, again: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give all that may be done with a run."""
    task, done = TASKS.get(data, data), (run / "result.json").exists()

    def resume() -> None:
        shutil.copytree(run, again)
        api.resume(
            again, **({"epochs": 1} if done else {}), on_event=partial(enough, perf_counter())
        )

    def score() -> None:
        model = ensue.open(run)
        _ = evaluate(model, []).to_json() if data == "generate" else model.evaluate([]).metrics

    yield "use", lambda: ASK[data](ensue.open(run)) if data in ASK else ensue.open(run)
    yield "evaluate", score
    yield "resume", resume
    yield "report", lambda: ensue.open(run).report
    for command in ("inspect", "compare", *(["export"] if task == "generate" else [])):
        more = {"compare": [str(run)], "export": [str(run.parent / "run.arpa")]}.get(command, [])
        yield command, partial(main, [command, str(run), *more])
    yield (
        "config",
        partial(
            main, ["train", task, "none", "--config", str(run / "run.toml"), "--show-settings"]
        ),
    )


def wrong(act: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> str | None:
    """Say what is wrong with how something ends; None where it is done, or refused in one line."""
    capsys.readouterr()
    before, told = peak(), ""
    try:
        with within(SECONDS):
            code = act()
        told = capsys.readouterr().err if code in (1, 2) else ""
        if code == 1:
            return told[-1500:]
    except (UserError, Interrupted) as error:
        told = f"{error}\n"
    except MemoryError:  # which the command line tells in one line
        return None
    except (Exception, TooLong) as error:
        return (
            None
            if "can't allocate memory" in str(error)
            else f"{type(error).__name__}: {str(error)[:200]}"
        )
    if told.count("\n") > 1 or len(told) > 4000:
        return f"an error of {len(told)} characters: {told[:200]!r}"
    more = peak() - before
    return f"{more:,} bytes held" if before and more > BYTES else None


def try_mutants(
    kind: str, state: str, count: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data, model, more), dice = KINDS[kind], random.Random(f"{kind} {state}")
    (folder / "made").mkdir()
    whole, found = made(data, state, folder / "made", model, **more), {}
    with limits(4 * BYTES):
        for number in range(count):
            shutil.rmtree(folder / "now", ignore_errors=True)
            run = Path(shutil.copytree(whole, folder / "now" / "run"))
            changed = mutate(run, dice)
            for name, act in acts(data, run, folder / "now" / "again"):
                if (what := wrong(act, capsys)) is not None:
                    found.setdefault((name, what[-90:]), (number, changed, what))
    assert list(found.items()) == []


@pytest.mark.parametrize("kind", QUICK)
def test_some_mutants(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try_mutants(kind, "finished", QUICK[kind], tmp_path, capsys)


def bent(run: Path, name: str, bend: Callable[[Any], Any]) -> None:
    """Change one array of a run, "FILE" or "FILE:ARRAY", and every sum."""
    file, _, array = name.partition(":")
    data = (run / file).read_bytes()
    if not array:
        (run / file).write_bytes(npy(bend(np.load(run / file))))
    elif file == CHECKPOINT:
        tensors, note = unpack_tensors(data, file)
        (run / file).write_bytes(pack_tensors(tensors | {array: bend(tensors[array])}, note))
    else:
        arrays = load(data)
        (run / file).write_bytes(save(arrays | {array: bend(arrays[array])}))
    signed(run)


def asked(kind: str, run: Path, done: bool) -> None:
    if KINDS[kind][0] == "forecast":
        ensue.open(run).forecast()
    api.resume(run, **({"epochs": 1} if done else {}))


BENT: list[tuple[str, str, Callable[[Any], Any], str]] = [
    ("characters", "cache/train.offsets.npy", np.flip, "the offsets of the part train are invalid"),
    (
        "characters",
        "cache/train.offsets.npy",
        lambda a: a - a,
        "steps.symbol of the part train has another length than the examples",
    ),
    (
        "characters",
        "cache/train.steps.symbol.npy",
        lambda a: a.astype(np.int64) - 1,
        "the text of the part train holds ids that",
    ),
    (
        "characters",
        "cache/validation.steps.symbol.npy",
        lambda a: a + 200,
        "the text of the part validation holds ids that are not below",
    ),
    (
        "characters",
        "cache/test.unknown.static.at.npy",
        lambda a: np.array([10**9]),
        "static.at of the part test.unknown has another length than the examples",
    ),
    (
        "texts",
        "cache/train.steps.symbol.npy",
        lambda a: a.astype(np.int64) + 10**6,
        "symbol of the part train holds",
    ),
    (
        "texts",
        "cache/train.steps.symbol.npy",
        lambda a: a[:-1],
        "steps.symbol of the part train has another length",
    ),
    (
        "texts",
        "cache/train.static.target.npy",
        lambda a: a + 2,
        "target of the part train holds ids that are not below",
    ),
    (
        "texts",
        "cache/train.static.file.npy",
        lambda a: a + 1,
        "file of the part train holds ids that are not below 1",
    ),
    (
        "tagger",
        "cache/train.steps.prefix.npy",
        lambda a: a[:, :2],
        "prefix of the part train holds no ids",
    ),
    (
        "tagger",
        "cache/train.steps.target.npy",
        lambda a: a * 0 - 1,
        "target of the part train holds ids that are not",
    ),
    (
        "trees",
        "cache/train.steps.parent.npy",
        np.zeros_like,
        "parent of the part train holds no trees",
    ),
    (
        "boosting",
        "weights.safetensors:left",
        np.zeros_like,
        "a node of a tree is not above its children",
    ),
    (
        "boosting",
        "weights.safetensors:feature",
        lambda a: np.where(a < 0, a, 10**6),
        "the saved trees need more features than",
    ),
    (
        "ridge",
        "weights.safetensors:weights",
        lambda a: a[1:],
        "weights.safetensors: the file is damaged",
    ),
    ("ridge", "cache/series.offsets.npy", np.flip, "the offsets of the part series are invalid"),
    (
        "ridge",
        "cache/series.steps.times.npy",
        np.flip,
        "the times of 'forecast' do not follow each other",
    ),
    (
        "characters",
        f"{CHECKPOINT}:learner/moment/0/exp_avg",
        lambda a: a[:1, :1].clone(),
        "0/exp_avg is [1, 1] of torch.float32, not [27, 32]",
    ),
    (
        "characters",
        f"{CHECKPOINT}:learner/weight/head.linear.bias",
        lambda a: a[:1].clone(),
        "weight/head.linear.bias is [1]",
    ),
]
"""Kind, array, what becomes of it, and what is told."""


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    @cache
    def whole(kind: str, state: str = "killed") -> Path:
        data, model, more = KINDS[kind]
        return made(data, state, tmp_path_factory.mktemp(kind), model, **more)

    return whole


@pytest.mark.parametrize(("kind", "name", "bend", "told"), BENT)
def test_arrays_that_nobody_wrote(
    kind: str,
    name: str,
    bend: Callable[[Any], Any],
    told: str,
    wholes: Callable[..., Path],
    tmp_path: Path,
) -> None:
    done = "moment" in name  # there are none before the first step
    run = Path(shutil.copytree(wholes(kind, *(["finished"] if done else [])), tmp_path / "run"))
    if name.startswith("cache"):  # else they are read again
        data = KINDS[kind][0]
        (wholes(kind).parent / f"{data}.{ENDS.get(data, 'csv')}").unlink(missing_ok=True)
    bent(run, name, bend)
    with pytest.raises(RunError, match=re.escape(told)), within(SECONDS):
        asked(kind, run, done)


SAID: list[tuple[str, tuple[Any, ...], Any]] = [
    ("characters", ("ends",), 2**70),
    ("characters", ("ends",), -5),
    ("characters", ("alphabet",), 3),
    ("texts", ("labels", "names"), ["a", "a"]),
    ("texts", ("labels", "scale"), float("nan")),
    ("texts", ("content", "codec", "words"), "abc"),
    ("tagger", ("words", "known", "suffix"), {"a": 1}),
    ("tagger", ("words", "settings", "spelling"), 2**40),
    ("trees", ("content", "children"), 2**70),
    ("summary-features", ("content", "scales", "values"), {"mean": []}),
    ("ridge", ("layout", "window"), 2**40),
    ("ridge", ("layout", "season"), 0),
    ("ridge", ("covariates", "values"), [[], [1.0]]),
    ("ridge", ("panel", "frequency"), ["month", 2**62, 0]),
    ("ridge", ("panel", "names"), [["forecast"]]),
]
"""Kind, a place in codec.json, and what is written there."""


@pytest.mark.parametrize(("kind", "place", "value"), SAID)
def test_a_codec_that_nobody_wrote(
    kind: str, place: tuple[Any, ...], value: Any, wholes: Callable[..., Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(wholes(kind), tmp_path / "run"))
    values = json.loads((run / "codec.json").read_text())
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (run / "codec.json").write_bytes(dumped(values))
    signed(run)
    told = r"json: the (file|codec) is damaged|the saved|the cache holds other data than the run"
    with limits(4 * BYTES), within(SECONDS), pytest.raises(RunError, match=told) as caught:
        ensue.open(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("mixed tags", ("about", "format"), None),  # which run.toml cannot hold
        ("summary-features", ("dataset", "skipped", "test", "unknown_channels"), ["a"]),
    ],
)
def test_a_description_of_data_that_nobody_wrote(
    kind: str, place: tuple[str, ...], value: Any, wholes: Callable[..., Path], tmp_path: Path
) -> None:
    run, data = Path(shutil.copytree(wholes(kind), tmp_path / "run")), KINDS[kind][0]
    file = wholes(kind).parent / f"{data}.{ENDS.get(data, 'csv')}"
    file.unlink(missing_ok=True)  # else it is read again
    path = run / "cache" / "contents.json"
    values = json.loads(path.read_text())
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_bytes(dumped(values))
    signed(run)
    with pytest.raises(RunError, match=r"contents\.json: the file is damaged"):
        api.resume(run)


@pytest.mark.parametrize("place", [("data",), ("data", "files"), ("data", "symbols")])
def test_a_run_whose_tables_are_none(
    place: tuple[str, ...],
    wholes: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Path(shutil.copytree(wholes("ngram", "finished"), tmp_path / "run"))
    values = tomllib.loads((run / "run.toml").read_text())
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = 0.5
    (run / "run.toml").write_bytes(tomli_w.dumps(values).encode())
    signed(run)
    assert main(["compare", str(run), str(run)]) == 2
    told = capsys.readouterr().err
    assert "run.toml: the file is damaged" in told
    assert told.count("\n") == 1


HUGE: list[tuple[str, str, int]] = [
    ("characters", "model.embedding", 30_000_000),
    ("characters", "model.body.width", 20_000),
    ("characters", "model.body.width", 2**40),
    ("characters", "model.body.depth", 1000),
    ("tokens", "model.body.width", 20_000_000),
    ("tokens", "model.body.window", 2**31),
    ("bytes", "model.body.window", 99_999),
    ("texts", "model.body.width", 20_000),
    ("lm-bayes", "model.sequence.embedding", 2**62),
    ("convolution", "model.body.width", 10_000),
    ("trees", "model.width", 20_000),
    ("tagger", "model.character", 20_000_000),
    ("tagger", "model.body.width", 20_000),
    ("steps", "model.body.width", 20_000),
    ("steps", "sample_paths", 10**9),
    ("characters", "training.batching.batch_size", 2**62),
    ("characters", "training.hardware.threads", 2**31),
    ("mlp", "model.width", 10**9),
]
"""Kind, a setting of numbers, and what is asked for: gigabytes."""


@pytest.mark.parametrize(("kind", "key", "value"), HUGE)
def test_a_model_that_is_larger_than_its_weights_takes_no_memory(
    kind: str, key: str, value: int, wholes: Callable[..., Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(wholes(kind), tmp_path / "run"))
    about = tomllib.loads((run / "run.toml").read_text())
    inner = about["settings"]
    *path, last = key.split(".")
    for name in path:
        inner = inner[name]
    assert last in inner
    inner[last] = value
    if key.startswith("model.") and last == "width" and "depth" in inner:
        inner["depth"] = max(inner["depth"], 2)
    (run / "run.toml").write_text(tomli_w.dumps(about))
    signed(run)
    before = peak()
    for act in (ensue.open, api.resume):
        with (
            within(3),
            pytest.raises(RunError, match=r"(the settings need more weights|cannot be )") as caught,
        ):
            act(run)
        assert "\n" not in str(caught.value)
    assert peak() - before < 200 << 20


@pytest.mark.slow
@pytest.mark.parametrize("state", ["finished", "killed"])
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutants(
    kind: str, state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try_mutants(kind, state, MUTANTS, tmp_path, capsys)


CALIBRATED: list[tuple[str, tuple[Any, ...], Any]] = [
    *(
        ("ridge", ("offsets", "80", 0), value)
        for value in (float("nan"), float("inf"), 1e308, -3.0, 10**400)
    ),
    *(("texts", ("temperature",), value) for value in (float("nan"), 1e-308, 1e308, 0, "1")),
    *(("texts", ("bound",), value) for value in (float("nan"), -float("inf"), 1e308, "1")),
    *(("texts", ("target_coverage",), value) for value in (float("nan"), 2.0, None)),
]
"""Kind, a place in calibration.json, and what is written there."""


@pytest.mark.parametrize(("kind", "place", "value"), CALIBRATED)
def test_a_calibration_that_nobody_measured(
    kind: str, place: tuple[Any, ...], value: Any, wholes: Callable[..., Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(wholes(kind, "finished"), tmp_path / "run"))
    inner = values = json.loads((run / "calibration.json").read_text())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (run / "calibration.json").write_bytes(dumped(values))
    signed(run)
    with pytest.raises(RunError, match=r"calibration\.json: the file is damaged"):
        ensue.open(run)
