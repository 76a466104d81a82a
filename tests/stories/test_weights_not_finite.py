"""Weights that are NaN or infinite are refused when a run is opened, in one line that names file
and array."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

import ensue
from ensue.cli.main import main
from ensue.errors import RunError
from ensue.models.parameters import load_into

SETTINGS = ["training.steps=2", "training.hardware.threads=1"]
WORDS = ["cat", "road", "king"]


def rewrite(run: Path, name: str, data: bytes) -> None:
    """Put content in the place of a file, and its sum into the manifest: as a training that went
    wrong would."""
    (run / name).write_bytes(data)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["sha256"][name] = [hashlib.sha256(data).hexdigest()]
    (run / "manifest.json").write_text(json.dumps(manifest))


DATA = {
    "generate": "".join(
        f"the cat number {number * number % 97} sat on the mat. \n" for number in range(200)
    ),
    "classify": "text,label\n"
    + "".join(f"the {WORDS[n % 3]} {n % 7},{WORDS[n % 3]}\n" for n in range(120)),
    "tag": "".join(f"the\tD\n{WORDS[n % 3]}\tN\nsees\tV\n\n" for n in range(80)),
    "forecast": "time,value\n"
    + "".join(f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n % 12}\n" for n in range(120)),
}
MODELS = [
    ("generate", "lstm", "head.linear.bias"),
    ("generate", "ngram", "discounts"),
    ("classify", "lstm", ""),
    ("classify", "ngram-bayes", "0.probability.1"),
    ("classify", "ngram-bayes", "likelihood_exponent"),
    ("classify", "nbsvm", "weight"),
    ("tag", "lstm", ""),
    ("tag", "hmm", "change"),
    ("tag", "most-frequent-tag", "scores"),
    ("forecast", "lstm", ""),
    ("forecast", "ridge", "weights"),
]
TRAINED: dict[tuple[str, str], Path] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finite")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("verb", "model", "array"), MODELS)
def test_one_number_that_is_not_finite(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    verb: str,
    model: str,
    array: str,
    value: float,
) -> None:
    if (verb, model) not in TRAINED:
        data = (
            folder
            / f"{verb}.{'csv' if verb in ('classify', 'forecast') else 'tsv' if verb == 'tag' else 'txt'}"
        )
        data.write_text(DATA[verb])
        settings = SETTINGS if model == "lstm" else []
        size = {"size": "tiny"} if model == "lstm" else {}
        out = folder / f"{verb}-{model}"
        ensue.train(verb, data, model=model, out=out, settings=settings, device="cpu", **size)
        TRAINED[verb, model] = out
    run = Path(shutil.copytree(TRAINED[verb, model], tmp_path / "run"))
    ensue.open(run)
    arrays = {
        name: np.array(one)
        for name, one in load((run / "weights.safetensors").read_bytes()).items()
    }
    name = array or next(name for name, one in arrays.items() if one.dtype.kind == "f" and one.size)
    if not arrays[name].size:
        arrays[name] = np.ones((1, 3))
    arrays[name].reshape(-1)[-1] = value
    (run / "mixture.safetensors").unlink(missing_ok=True)
    rewrite(run, "weights.safetensors", save(arrays))
    if verb == "generate":
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["sha256"].pop("mixture.safetensors", None)
        (run / "manifest.json").write_text(json.dumps(manifest))
    line = (
        f"{run / 'weights.safetensors'}: the file is damaged: the saved {name!r} holds a "
        f"number that is not finite"
    )
    with pytest.raises(RunError) as told:
        ensue.open(run)
    assert str(told.value) == f"{line}; restore the file from a copy, or train again"
    assert main(["evaluate", str(run)]) == 2
    assert capsys.readouterr().err == f"ensue: {told.value}\n"


def test_a_packed_table_with_nan(folder: Path, tmp_path: Path) -> None:
    (folder / "text.txt").write_text(DATA["generate"])
    run = ensue.train("generate", folder / "text.txt", model="ngram", out=tmp_path / "run").run.path
    arrays = {
        name: np.array(one)
        for name, one in load((run / "weights.safetensors").read_bytes()).items()
    }
    arrays["grams.2"][7] = 255
    rewrite(run, "weights.safetensors", save(arrays))
    with pytest.raises(
        RunError, match=r"weights.safetensors: invalid n-gram model: its 2-grams have"
    ):
        ensue.open(run)


@pytest.mark.parametrize("value", ["NaN", "-3", '"a"', "null", "[" * 100_000])
@pytest.mark.parametrize(
    ("verb", "model", "known"),
    [("classify", "ngram-bayes", "temperature"), ("forecast", "ridge", "offsets")],
)
def test_a_calibration_that_is_none(
    folder: Path, tmp_path: Path, verb: str, model: str, known: str, value: str
) -> None:
    data = folder / f"{verb}-of.csv"
    data.write_text(DATA[verb])
    run = ensue.train(verb, data, model=model, out=tmp_path / "run").run.path
    rewrite(
        run,
        "calibration.json",
        f'{{"{known}": {value}, "bound": 1, "target_coverage": 0.9, "forecasts": 3}}'.encode(),
    )
    with pytest.raises(RunError, match=r"calibration.json: the file is damaged"):
        ensue.open(run)


def test_arrays_of_any_kind_are_checked() -> None:
    class Model:
        arrays: dict[str, np.ndarray]

        def load(self, arrays: dict[str, np.ndarray]) -> None:
            self.arrays = arrays

    model, finite = Model(), {"ids": np.arange(3), "bias": np.zeros(0)}
    load_into(model, finite, "weights")
    assert model.arrays is finite
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(RunError, match="weights: the file is damaged: the saved 'bias' holds"):
            load_into(model, {"bias": np.array([0.0, wrong])}, "weights")
