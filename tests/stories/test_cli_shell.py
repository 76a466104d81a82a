"""The shell of the command line: quick, without torch, and one line for whatever was mistyped."""

import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from ensue.cells import CELLS
from ensue.cli import main as shell
from ensue.cli.demo import demo
from ensue.cli.list import first_line
from ensue.cli.main import app, main
from ensue.cli.output import print_json
from ensue.cli.progress import Live, Plain, follow
from ensue.cli.tables import plain_table, show_table
from ensue.tasks import VERBS
from ensue.tasks.generate import GenerateRequest
from ensue.training.contract import Note, Progress, Sample
from ensue.training.settings import TrainingSettings

COMMANDS = sorted(name for name in app.resolved_commands() if not name.startswith("-"))


def in_process_of_its_own(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_no_torch(command: str) -> None:
    program = (
        "import sys\nfrom ensue.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "slow = {'torch', 'pyarrow', 'tokenizers', 'sklearn', 'scipy', 'matplotlib'}\n"
        "assert not slow & set(sys.modules)\nsys.exit(code)"
    )
    done = in_process_of_its_own(program, *command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ensue")


@pytest.mark.parametrize(
    "line", ["train generate nothing.txt", "resume nothing", "generate nothing"]
)
def test_progress_is_told_while_torch_is_loaded(line: str) -> None:
    """A busy machine loaded it for 17 s, which were silent."""
    program = (
        "import sys\nfrom ensue.cli import progress\n"
        "def enter(self, begin=progress.Heartbeat.__enter__):\n"
        "    print('torch' in sys.modules)\n    return begin(self)\n"
        "progress.Heartbeat.__enter__ = enter\n"
        "from ensue.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = in_process_of_its_own(program, *line.split())
    assert (done.returncode, done.stdout.split()[:1]) == (2, ["False"]), done.stderr


def test_help_tells_the_defaults_that_count(capsys: pytest.CaptureFixture[str]) -> None:
    minutes = TrainingSettings().minutes
    for line, said in {
        "generate": f"may end earlier. [default: {GenerateRequest().length}]",
        "train generate": f"Time budget of the whole command in minutes; {minutes:g} if neither",
        "demo": "Time budget in minutes; 1 by default.",
    }.items():
        main([*line.split(), "--help"])
        told = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert said in told
    assert inspect.signature(demo).parameters["minutes"].default == 1


@pytest.mark.slow
def test_help_is_quick() -> None:
    def seconds() -> float:
        # Of the processor: on a busy machine the clock on the wall says what others do.
        before = os.times()
        done = in_process_of_its_own("from ensue.cli.main import main; main(['--help'])")
        after = os.times()
        assert done.returncode == 0
        return (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lst", 'Unknown command "lst". Did you mean "list"? '),
        ("list cells --jsno", "Unknown option: --jsno"),
        ("list cels", 'Invalid value "cels" for CATALOGUE. Choose from: '),
        (
            "list",
            'Command "list" parameter CATALOGUE requires an argument; see `ensue list --help`',
        ),
        ("train generate --seed 1.5", "--seed cannot be '1.5': input should be a valid integer, "),
        (
            "train generate --set count_validation=3",
            "--set count_validation=3: 'count_validation' cannot be 3: input should be a valid boolean or 'auto'",
        ),
        (
            "train classify --model convolution --set body.windows=[0]",
            "--set body.windows=[0]: 'model.body.windows' cannot be 0: input should be greater than 0",
        ),
        (
            "train generate --set baseline.order=50",
            "--set baseline.order=50: 'baseline.order' cannot be 50: input should be less than or equal to 32 or 'auto'",
        ),
        ("train generate --seed 99999999999999999999", "'seed' cannot be 99999999999999999999: "),
        (
            "train generate --minutes 0",
            "--minutes: 'minutes' cannot be 0.0: input should be greater than 0",
        ),
        (
            "train generate --minutes inf",
            "--minutes cannot be 'inf': input should be a finite number; ",
        ),
        (
            "train generate --minutes 1 --epochs 1",
            "--minutes and --epochs: only one budget is allowed; give one",
        ),
        ("train generate --codec word", "there is no codec 'word'; did you mean words?"),
        (
            "train generate --set body.width=0",
            "--set body.width=0: 'model.body.width' cannot be 0: ",
        ),
        (
            "train generate --model ngram --set model.order=0",
            "--set model.order=0: 'model.order' cannot be 0: ",
        ),
        ("demo --minutes 0", "--minutes: 'minutes' cannot be 0.0: input should be greater than 0"),
        (
            "generate run --samples 1.5",
            "--samples cannot be '1.5': input should be a valid integer, ",
        ),
        (
            "generate run --temperature inf",
            "--temperature cannot be 'inf': input should be a finite number; ",
        ),
        (
            "generate run --interactive --json",
            "generate: --interactive writes one plain text; ",
        ),
        (
            "evaluate run --prequential --lines",
            "evaluate: --prequential cannot be combined with --lines, --surprisi",
        ),
        (
            "list models lstm",
            "list: 'lstm' is not among the models; it is a cell: see `ensue list cells lstm`",
        ),
        ("list cells gruu", "list: 'gruu' is not among the cells; did you mean gru?"),
    ],
)
def test_what_was_mistyped_is_told_in_one_line(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"ensue: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    ["check", "train classify", "train tag a.txt --valid", "resume", "compare run", "export run"],
)
def test_a_file_whose_name_begins_with_a_hyphen(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reported was that the "parameter -a b.txt requires an argument"."""
    monkeypatch.chdir(tmp_path)
    Path("-a b.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 40)
    assert main([*line.split(), "-a b.txt"]) == 2
    expected = "-a b.txt: a file whose name begins with - is read as an option; write './-a b.txt'"
    assert capsys.readouterr().err == f"ensue: {expected}\n"


def test_the_advice_for_a_name_that_begins_with_a_hyphen_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-a.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 40)
    assert main(["check", "./-a.txt"]) == 0
    assert main(["evaluate", "run", "-a.txt"]) == 2  # there a hyphen is no trouble
    assert "run: " in capsys.readouterr().err


@pytest.mark.parametrize("line", ["check", "train classify", "train generate", "evaluate run"])
def test_an_empty_argument_is_not_the_working_folder(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`$FILE` without a value trained on every text below the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 40)
    assert main([*line.split(), ""]) == 2
    assert capsys.readouterr().err.startswith("ensue: an argument is empty; is a variable")
    assert [path.name for path in Path().iterdir()] == ["a.txt"]


def fake(error: BaseException) -> App:
    def fail() -> None:
        raise error

    failing = App(name="ensue", suppress_keyboard_interrupt=app.suppress_keyboard_interrupt)
    failing.default(fail)
    return failing


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "ensue: interrupted\n"),
        (ZeroDivisionError("oh"), 1, "this is a bug in ensue"),
    ],
)
def test_other_ends(
    error: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shell, "app", fake(error))
    assert main([]) == code
    err = capsys.readouterr().err
    assert told in err
    assert ("Traceback" in err) == (code == 1)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")]
)
def test_too_little_memory_is_no_bug(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shell, "app", fake(error))
    assert main([]) == 2
    assert capsys.readouterr().err == (
        "ensue: out of memory; use a smaller model, batch or request\n"
    )


def test_a_reader_that_has_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    program = "import sys; from ensue.cli.main import main; sys.exit(main(['list', 'cells']))"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def run_with(
    command: list[str], how: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    line = f"{shlex.join([sys.executable, '-m', 'ensue', *command])} {how}"
    return subprocess.run(
        line, shell=True, capture_output=True, text=True, timeout=60, env=os.environ | variables
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_escaped(encoding: str) -> None:
    done = run_with(["list", "nothing日"], PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert r"nothing\u65e5" in done.stderr
    help = run_with(["--help"], PYTHONIOENCODING=encoding)
    assert (help.returncode, help.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_stream_that_is_closed_is_no_error(closed: str) -> None:
    done = run_with(["list", "cells"], closed)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has it")
def test_an_output_on_a_full_disk() -> None:
    done = run_with(["list", "cells"], "> /dev/full")
    assert (done.returncode, done.stderr) == (
        2,
        "ensue: the output: the disk is full; make room, and try again\n",
    )


def test_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "cells"]) == 0
    assert (
        "gru_reset_before  Gated recurrent unit, reset before the product"
        in capsys.readouterr().out
    )
    lines = [first_line(cell) for cell in CELLS.values()]
    assert len(set(lines)) == len(CELLS)
    assert main(["list", "cells", "gru"]) == 0
    assert "candidate = tanh(W x + b + reset * (U h + d))" in capsys.readouterr().out
    assert main(["list", "heads"]) == 0
    assert re.search("categorical +Categorical head", capsys.readouterr().out)


PROGRESS = Progress(
    step=20, steps=100, epoch=0.5, loss=1.5, validation=None, learning_rate=0.003, norm=0.7,
    seconds=3.0, unit="words", per_second=12345.6, eta_seconds=75.0, memory_mb=210.4,
)  # fmt: skip
CHECKED = Progress(
    step=30, steps=None, epoch=0.75, loss=None, validation=1.25, learning_rate=0.003, norm=None,
    seconds=4.0, unit="words", per_second=12345.6, eta_seconds=None, memory_mb=210.4,
)  # fmt: skip


def test_progress_in_a_file_is_plain_and_not_too_much() -> None:
    out = io.StringIO()
    show = Plain(out)
    for event in (
        PROGRESS,
        PROGRESS,
        CHECKED,
        Sample(30, "To be,\nor", 12.0),
        Note("a dead network"),
    ):
        show(event)
    assert out.getvalue().splitlines() == [
        "step 20/100  epoch 0.50  loss 1.5000  ETA 1:15  12,346 words/s  lr 0.003  210 MB",
        "step 30  epoch 0.75  validation 1.2500  12,346 words/s  lr 0.003  210 MB",
        "  sample: To be,⏎or",
        "a dead network",
    ]


def test_progress_on_a_terminal_is_written_over() -> None:
    out = io.StringIO()
    show = Live(out)
    for event in (PROGRESS, CHECKED, Note("x" * 500)):
        show(event)
    first, second, third = out.getvalue().split("\r\x1b[K")[1:]
    assert first.startswith("step 20/100")
    assert not first.endswith("\n")
    assert second.endswith("\n")
    assert "x" * 500 in third


def test_progress_for_programs_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show = follow(as_json=True)
    for event in (PROGRESS, Sample(30, "“To be”", float("inf")), Note("for people")):
        show(event)
    out, err = capsys.readouterr()
    progress, sample, note = [json.loads(line) for line in out.splitlines()]
    assert (progress["event"], progress["step"], progress["loss"]) == ("progress", 20, 1.5)
    assert sample == {"event": "sample", "step": 30, "text": "“To be”", "nats": None}
    assert note == {"event": "note", "text": "for people"}
    assert err == "for people\n"


def test_json_is_valid_whatever_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": "é"}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": {"d": "é"}}


def test_tables_in_a_file_are_plain() -> None:
    assert plain_table(["model", "bits"], [["uniform", "6.0"], ["é", "12.25"]]).splitlines() == [
        "model     bits",
        "uniform    6.0",
        "é        12.25",
    ]


def test_the_module_is_a_command_too() -> None:
    command = [sys.executable, "-m", "ensue", "list", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_tables_on_a_terminal_fit_into_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    row = ["mixture", "1.551", "1.500 to 1.604", "2.238", "4.72", "180.9 s", "2,586,313"]
    show_table(
        [
            "model",
            "nats/character",
            "95 % interval",
            "bits/byte",
            "perplexity",
            "training time",
            "parameters",
        ],
        [row],
    )
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert all(cell in out for cell in row)
    assert max(map(len, out.splitlines())) <= 80


def test_no_word_of_a_table_is_cut_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    rows = [
        ["uniform", "4.190", "4.190 to 4.190", "6.044", "66.00", "0.0 s", "0"],
        ["mixture of all", "1.551", "1.500 to 1.604", "2.238", "4.72", "180.9 s", "2,586,313"],
    ]
    show_table(
        [
            "model",
            "nats/character",
            "95 % interval",
            "bits/byte",
            "perplexity",
            "training time",
            "parameters",
        ],
        rows,
    )
    show_table(
        ["setting", "run-1", "run-2"],
        [["training.batching.evaluate_every", "100", "a text of many words " * 9]],
    )
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in out
    words = [word for row in rows for cell in row for word in cell.split()]
    assert all(
        word in out.split()
        for word in (*words, "training.batching.evaluate_every", "perplexity", "text")
    )
    assert max(map(len, out.splitlines())) < 100


def test_a_cell_that_ends_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = tmp_path / "cell.py"
    cell.write_text("raise SystemExit(3)\n")
    assert main(["train", "generate", "--model", str(cell), "--show-settings"]) == 2
    assert capsys.readouterr().err.startswith(
        f"ensue: {cell}:1: SystemExit: 3 in `raise SystemExit(3)`"
    )


COMMANDS = [
    *(("train", verb) for verb in VERBS),
    *((verb,) for verb in VERBS),
    *((name,) for name in ("check", "evaluate", "compare")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_flag_has_its_help(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    main([*command, "--help"])
    # Further in, a line that begins so is the rest of a help text, wrapped before its --set.
    lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r"│ .{,3}--", line)]
    flags = [line.strip("│ *") for line in lines]
    assert flags
    # A flag, its value (STR, INT, PATH...), and then at least three words.
    assert [line for line in flags if len(re.split(r"\s{2,}", line, maxsplit=1)) < 2] == []
