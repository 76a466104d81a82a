"""A run that is killed -9 at any moment, and resumed, ends with the same bits as one that was
not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("tiny_training.py")
TIMES = ("seconds", "per_second", "eta_seconds", "memory_mb")
QUICK = ["update:17", "torn:9", "replaced:12"]
"""In the middle of the training; in a half-written file; after a rename whose folder is not yet
synced."""


def drive(jobs: list[tuple[Path, list[str], str]]) -> None:
    plan = json.dumps([[str(path), kills, fault] for path, kills, fault in jobs])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(DRIVER), plan],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def outcome(path: Path) -> dict[str, object]:
    """Everything that a run holds, but for the times."""
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    metrics = [{key: value for key, value in row.items() if key not in TIMES} for row in rows]
    files = {
        name: (path / name).read_bytes()
        for name in ("weights.safetensors", "run.toml", "samples.jsonl")
    }
    return {
        "metrics": metrics,
        **files,
        "manifest": json.loads((path / "manifest.json").read_text()),
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    drive([(path, [], "")])
    return outcome(path)


def test_the_uninterrupted_run_is_worth_comparing(uninterrupted: dict) -> None:
    metrics = uninterrupted["metrics"]
    assert [row["step"] for row in metrics] == [
        4,
        6,
        8,
        12,
        16,
        18,
        20,
        24,
        28,
        30,
        32,
        36,
        40,
        42,
        44,
        45,
    ]
    validations = [row["validation"] for row in metrics if row["validation"] is not None]
    assert len(validations) == 8
    assert validations[-1] < validations[0]
    assert uninterrupted["samples.jsonl"].count(b"\n") == 8


def test_killed_thrice_and_resumed_it_ends_with_the_same_bits(
    uninterrupted: dict, tmp_path: Path
) -> None:
    drive([(tmp_path / "run", QUICK, "")])
    assert outcome(tmp_path / "run") == uninterrupted


@pytest.mark.slow
def test_twenty_kills_by_step_and_inside_saves(uninterrupted: dict, tmp_path: Path) -> None:
    kills = [f"update:{number}" for number in (1, 2, 7, 13, 19, 30, 44, 45)]
    kills += [f"torn:{number}" for number in (1, 3, 8, 21)]
    kills += [f"fsync:{number}" for number in (2, 5, 18, 40)]
    kills += [f"replace:{number}" for number in (1, 6)] + [
        f"replaced:{number}" for number in (3, 15)
    ]
    assert len(kills) == 20
    drive([(tmp_path / str(number), [kill], "") for number, kill in enumerate(kills)])
    for number, kill in enumerate(kills):
        assert outcome(tmp_path / str(number)) == uninterrupted, kill


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["random", "state", "moments", "logs"])
def test_a_planted_fault_is_seen(uninterrupted: dict, tmp_path: Path, fault: str) -> None:
    drive([(tmp_path / "run", ["update:17"], fault)])
    assert outcome(tmp_path / "run") != uninterrupted
