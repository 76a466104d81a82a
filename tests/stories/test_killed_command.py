"""The whole command, killed at random moments and resumed, ends with the same run as one that
was left alone."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORDS = ("the cat", "a dog", "my old friend", "nobody", "the rain", "she")
ENSUE = [sys.executable, "-m", "ensue"]
SETTINGS = [
    "steps=60",
    "evaluate_every=10",
    "body.width=24",
    "embedding=8",
    "dropout=0.2",
    "hardware.threads=1",
]
SAME = ("weights.safetensors", "codec.json", "samples.jsonl")


def train(data: Path, out: Path) -> list[str]:
    flags = [part for setting in SETTINGS for part in ("--set", setting)]
    more = ["--model", "gru", "--set", "mixture.use=always", "--set", "body.depth=2", "--seed", "5"]
    return [*ENSUE, "train", "generate", str(data), "--out", str(out), *more, *flags]


def without_times(value: object) -> object:
    """Leave out what only a clock or the folder's name decides."""
    if isinstance(value, dict):
        timed = (
            "seconds",
            "run",
            "recommendation",
            "comparison",
            "retrain",
            "per_second",
            "eta_seconds",
            "memory_mb",
        )
        return {name: without_times(one) for name, one in value.items() if name not in timed}
    return [without_times(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dice = random.Random(1)
    path = tmp_path_factory.mktemp("data") / "text.txt"
    sentences = (
        f"{dice.choice(WORDS)} saw {dice.choice(WORDS)}, and {dice.choice(WORDS)} slept.\n\n"
        for _ in range(600)
    )
    path.write_text("".join(sentences), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def undisturbed(data: Path) -> tuple[Path, float]:
    """Give a run that was left alone, and the seconds that it took."""
    out, began = data.parent / "undisturbed", time.perf_counter()
    subprocess.run(train(data, out), check=True, capture_output=True)
    return out, time.perf_counter() - began


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_and_resumed_it_is_the_same_run(
    seed: int, data: Path, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    dice, out, kills = random.Random(seed), tmp_path / "run", 0
    alone, seconds = undisturbed
    command = train(data, out)
    for _ in range(20):
        began = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                process.wait(dice.uniform(0.3, 0.9) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
            assert process.stderr is not None
            told = process.stderr.read()
        if (
            not kills and process.returncode == 0
        ):  # the machine is faster than it was when left alone: earlier, then
            seconds = min(seconds, time.perf_counter() - began)
            shutil.rmtree(out)
            continue
        if process.returncode == 0 or "the training has finished" in told:
            break
        assert process.returncode == -9, told
        command = [*ENSUE, "resume", str(out)] if (out / "run.toml").exists() else train(data, out)
        time.sleep(0.05)
    else:
        subprocess.run(command, check=True, capture_output=True)
    assert kills
    for name in SAME:
        assert (out / name).read_bytes() == (alone / name).read_bytes(), name
    results = [json.loads((folder / "result.json").read_text()) for folder in (out, alone)]
    assert without_times(results[0]) == without_times(results[1])
    metrics = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (out, alone)
    ]
    assert without_times(metrics[0]) == without_times(metrics[1])
