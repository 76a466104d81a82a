"""The laws can fail: each fault, planted into a copy of the package, turns the named tests red.

A fault is a piece of source that must occur exactly once, and what stands in its place in the copy.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


class Fault(NamedTuple):
    file: str
    right: str
    wrong: str
    tests: str


FAULTS = {
    "look-ahead": Fault(
        "data/feeds/contract.py",
        "np.concatenate([before, target[:, :-1]], axis=1)",
        "np.concatenate([before, target[:, 1:]], axis=1)",
        "laws/test_feeds.py",
    ),
    "swapped gates": Fault(
        "cells/lstm.py",
        'gates = ("input", "forget", "candidate", "output")',
        'gates = ("forget", "input", "candidate", "output")',
        "references/test_cells.py",
    ),
    "lost state": Fault(
        "training/gradient.py",
        "        self._state = state\n        return Update(",
        "        self._state = None\n        return Update(",
        "stories/test_kill_and_resume.py laws/test_training.py",
    ),
    "unmasked padding": Fault(
        "layers/padding.py",
        "return x.masked_fill(past[(...,) + (None,) * (x.dim() - 2)], 0.0)",
        "return x",
        "laws/test_language_models.py",
    ),
    "validation text in the codec's fit": Fault(
        "data/prepare.py",
        'for part, text in split.assign(pieces) if part == "train")',
        'for part, text in split.assign(pieces) if part != "test")',
        "laws/test_codecs.py",
    ),
    "unigram discount": Fault(
        "models/ngram/smoothing.py",
        "self.given[n - 1] if self.given else discounts(adjusted)",
        "self.given[n - 1] if self.given else discounts(adjusted) if n > 1 else FALLBACK",
        "references/test_kenlm.py references/test_ngram_brute_force.py",
    ),
    "random numbers not resumed": Fault(
        "training/gradient.py",
        '        set_random_state(_under("random/", snapshot.tensors), self.device)\n',
        "",
        "stories/test_kill_and_resume.py",
    ),
    "checkpoint renamed before it is synced": Fault(
        "atomic_io.py",
        "                os.fsync(file.fileno())\n            os.replace(temporary, path)",
        "            os.replace(temporary, path)\n            with path.open('rb') as file:\n"
        "                os.fsync(file.fileno())",
        "laws/test_run_folder.py",
    ),
    "temperature applied twice": Fault(
        "decoding/sampling.py",
        "return normalize((scores - scores.max(axis=1, keepdims=True)) / temperature)",
        "return normalize((scores - scores.max(axis=1, keepdims=True)) / temperature**2)",
        "references/test_filters.py",
    ),
    "n-gram order off by one": Fault(
        "models/ngram/estimation.py",
        "enumerate(counts.levels[:order], 1)",
        "enumerate(counts.levels[: max(order - 1, 1)], 1)",
        "references/test_ngram_brute_force.py",
    ),
}


def outcome(package: Path, tests: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / "tests" / test) for test in tests.split()]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *paths,
    ]
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(
            ROOT / "src" / "ensue", tmp_path / "ensue", ignore=shutil.ignore_patterns("__pycache__")
        )
    )


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_turns_a_test_red(name: str, package: Path) -> None:
    fault = FAULTS[name]
    file = package / fault.file
    source = file.read_text(encoding="utf-8")
    assert source.count(fault.right) == 1, (
        f"the place of the fault {name!r} has changed: {fault.file}"
    )
    file.write_text(source.replace(fault.right, fault.wrong), encoding="utf-8")
    done = outcome(package, fault.tests)
    assert done.returncode == 1, done.stdout[-2000:]
    assert " failed" in done.stdout


def test_without_a_fault_they_are_green(package: Path) -> None:
    tests = " ".join(sorted({test for fault in FAULTS.values() for test in fault.tests.split()}))
    done = outcome(package, tests)
    assert done.returncode == 0, done.stdout[-2000:]
