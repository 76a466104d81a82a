"""The examples run on a file of one's own, say how it goes, and take the same plain arguments."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = "".join(
    f"def f{n}(a, b):\n    return [a + {n * n % 97}, {{b: (a, {n % 13})}}]\n\n\n" for n in range(80)
)
BUDGETS = {
    "brackets.py": ("--minutes", "0.02"),
    "markov.py": (),
    "names.py": ("--minutes", "0.02"),
    "nietzsche.py": ("--epochs", "1"),
    "shakespeare.py": ("--minutes", "0.02"),
}


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True
    )


def test_all_are_tried() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(BUDGETS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUDGETS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    done = run(name, str(tmp_path / "text.txt"), *BUDGETS[name])
    assert done.returncode == 0, done.stderr
    assert "nan" not in done.stdout
    told = done.stdout if name == "markov.py" else done.stderr
    assert told.startswith(("Six n-grams", "model lstm", "codec characters", "size tiny"))


@pytest.mark.parametrize("name", BUDGETS)
def test_an_example_is_told_too_much(name: str) -> None:
    done = run(name, "one.txt", "two.txt")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: unrecognized arguments: two.txt")


def test_text_without_a_closing_bracket_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat again\n\n" * 60, encoding="utf-8")
    done = run("brackets.py", str(tmp_path / "text.txt"), "--minutes", "0.01")
    assert done.stdout.splitlines() == [
        "network  closes 0 of 0 brackets correctly",
        "4-gram   closes 0 of 0 brackets correctly",
    ]
