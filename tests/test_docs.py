"""The docs are true: their commands run, and their tables are what the code says."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

from ensue.cli.main import app, main
from ensue.tasks import VERBS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]

TEXT = "".join(
    f"{n}. The cat sat on mat {n * n % 17}, and the dog {'ran' if n % 3 else 'slept'}.\n\n"
    for n in range(400)
)


def commands(page: Path) -> list[str]:
    """Give the `ensue` commands of a page's code blocks, without their comments."""
    blocks = re.findall(
        r"^```(?:console)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = [
        line.removeprefix("$ ").split("  #")[0].strip()
        for block in blocks
        for line in block.splitlines()
    ]
    return [line for line in lines if line.startswith("ensue ")]


@pytest.mark.parametrize(
    ("page", "command"), [(page.name, line) for page in PAGES for line in commands(page)]
)
def test_every_command_of_the_docs_is_one(page: str, command: str) -> None:
    app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)


def test_the_commands_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shakespeare.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "sonnets.txt").write_text(TEXT[:2000], encoding="utf-8")
    (tmp_path / "letters.txt").write_text(TEXT[:4000], encoding="utf-8")
    for line in commands(PAGES[0]):
        if line.startswith("ensue demo"):
            continue
        # A reader waits for minutes; here it is the way that counts.
        size = "" if "--pretrained" in line else " --set body.width=8"
        quick = f"--epochs 1 --set batching.batch_size=4{size}"
        short = re.sub(r"--minutes \S+", quick, line)
        assert "train" not in line or quick in short or "--model ngram" in line
        assert main(shlex.split(short)[1:]) == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_page_of_settings_is_what_the_code_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))
    assert made["PATH"].read_text(encoding="utf-8") == made["page"]()


def test_the_flags_of_training_are_what_the_settings_say() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))
    for verb in VERBS.values():
        written = verb.flags_file.read_text(encoding="utf-8")
        assert written == made["flags"](verb.task), "run python docs/make_settings.py"
        assert all(one["type"] and one["help"] for one in verb.flags.values())
        assert {"model", "valid", "test"} <= verb.flags.keys()
