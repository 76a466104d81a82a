"""The house stays as it was drawn: layers, sizes, complete catalogues, a quick command line, true commands."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "ensue"
FILES = sorted(PACKAGE.rglob("*.py"))

FILE_LINES, FUNCTION_LINES, PARAMETERS, SETTINGS_FIELDS, NESTING, FOLDER_FILES = 400, 60, 7, 12, 4, 20
# 2026-11-21: the guide is 12,000 with three more verbs, and is passed: a third of these lines are docstrings and blank,
# and speed was bought with code: each of recurrence, generation and n-grams is there for any machine and compiled, and
# recurrence for GPUs too (3,500 in all). What the next verbs add must come out elsewhere, or out of this figure.
# The same day: classify came to 23,000, and forecast added 4,000, a third of them for reading and checking series.
# tag adds 2,600 (encoders too): four formats, a codec of words, three taggers, chains of tags, spans, plain text.
# The estimators of scikit-learn add 700: what X may be, and a run that is carried in memory.
# Trees add 730: brackets, their codec and demo, the plan of levels, three cells, labels read as others.
# Of texts, a linear model on n-grams and Bayes' rule add 560.
# The data doctor adds 450: it reads what every verb learns from as a training would, and tells what is wrong by line.
# 2026-11-30: faults found from outside are mended where they are, before the redesign moves this code and brings a
# limit in code lines by room; until then there is room for the checks that were missing.
# Of these, reading times and numbers as people write them, and tables with a series a row, take 600.
# What stands in a run that somebody else made is checked before it is used: 350.
# Telling runs and workbooks from data, and what is done meanwhile: 100.
# Saying which figures are of a sample, are not defined, or are of the training data: 250.
# Numbers as spreadsheets write them in labels and long tables, and answers to every line: 150.
# Telling what is done while answers are long in coming, and what baselines would take: 200.
# Times as spreadsheets and places count them, and rows of what is known ahead by their times: 100.
PACKAGE_LINES = 40_400
COMMAND_FLAGS = {"cli/generate.py": 20, "cli/evaluate.py": 9}
BASES_OUTSIDE = {
    "ABC",
    "Module",
    "Settings",
    "Protocol",
    "Generic",
    "Exception",
    "BaseModel",
    "NamedTuple",
    "Distribution",
}

# Functions and settings over a ceiling, each with the date and the reason.
ALLOWED: dict[str, str] = {
    "data/readers/long_table.py:LongTable": "2026-11-30: a column each for what a step of a sequence may have",
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def settings_classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return (node for node in classes if any(ast.unparse(base).endswith("Settings") for base in node.bases))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def depth(node: ast.AST) -> int:
    """Count how deep blocks stand in one another; an `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        block = isinstance(child, ast.If | ast.For | ast.While | ast.With | ast.Try)
        chained = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child) + (block and not chained))
    return deepest


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_sizes(path: Path) -> None:
    text = path.read_text()
    too_large = []
    if len(text.splitlines()) > FILE_LINES:
        too_large.append(f"{name_of(path)} has more than {FILE_LINES} lines")
    parameters = 20 if path.parent.name == "train" else COMMAND_FLAGS.get(name_of(path), PARAMETERS)
    parameters = max(parameters, 8 if path.parent.name == "cli" else 0)
    for function in functions(ast.parse(text)):
        place = f"{name_of(path)}:{function.name}"
        end = function.end_lineno or function.lineno
        if end - function.lineno + 1 > FUNCTION_LINES:
            too_large.append(f"{place} has more than {FUNCTION_LINES} lines")
        if len(arguments(function)) > parameters:
            too_large.append(f"{place} has more than {parameters} parameters")
        if depth(function) > NESTING:
            too_large.append(f"{place} is nested more than {NESTING} deep")
    for settings in settings_classes(ast.parse(text)):
        if sum(isinstance(line, ast.AnnAssign) for line in settings.body) > SETTINGS_FIELDS:
            too_large.append(f"{name_of(path)}:{settings.name} has more than {SETTINGS_FIELDS} fields")
    assert [one for one in too_large if one.split(" ")[0] not in ALLOWED] == []


def test_allow_list_names_what_exists() -> None:
    known = {
        f"{name_of(path)}:{function.name}" for path in FILES for function in functions(ast.parse(path.read_text()))
    }
    known |= {f"{name_of(path)}:{one.name}" for path in FILES for one in settings_classes(ast.parse(path.read_text()))}
    assert set(ALLOWED) <= known | {name_of(path) for path in FILES}


def test_folders_and_package_are_small() -> None:
    folders = {path.parent for path in FILES}
    crowded = [str(folder) for folder in folders if len(list(folder.glob("*.py"))) > FOLDER_FILES]
    assert crowded == []
    assert sum(len(path.read_text().splitlines()) for path in FILES) <= PACKAGE_LINES


def test_names_say_something() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager"}
    assert [name_of(path) for path in FILES if path.stem in vague] == []
    classes = [
        node.name for path in FILES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in classes if name.startswith("Base") or name.endswith(("Impl", "Manager", "Helper"))] == []


def test_inheritance_is_two_deep() -> None:
    classes = {
        node.name: [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }

    def generations(name: str) -> int:
        return 1 + max((generations(base) for base in classes.get(name, []) if base not in BASES_OUTSIDE), default=0)

    # A contract and a final class: two of ours. UserError and its kinds, Settings and its kinds count likewise.
    assert {name: generations(name) for name in classes if generations(name) > 2} == {}


def test_import_layers() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["train", "generate", "--help"],
        ["generate", "--help"],
        ["train", "tag", "--help"],
        ["tag", "--help"],
        ["check", "README.md"],
    ],
    ids=" ".join,
)
def test_answers_without_torch(command: list[str]) -> None:
    program = (
        "import sys\n"
        "from ensue.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
