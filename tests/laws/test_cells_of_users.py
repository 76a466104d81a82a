"""A cell in a person's own file: it trains like any other, and each mistake is told in one line
that quotes it."""

from pathlib import Path

import pytest
import torch

from ensue.cells.user import load_cell
from ensue.engine import trace
from ensue.errors import SettingError, UserError
from ensue.layers import Recurrent, RecurrentSettings
from ensue.settings import assign, read, to_plain
from ensue.testing import CAUSAL_LAWS, CELL_LAWS

GOOD = """
class Forgetful(Cell):
    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    def equation(self, gate, state, weight):
        c = sigmoid(gate.forget) * state.c + sigmoid(gate.input) * tanh(gate.candidate)
        return {"h": sigmoid(gate.output) * tanh(c), "c": c}
"""


def cell(answer: str, names: str = 'gates = ("new",)', states: str = 'states = ("h",)') -> str:
    """A file whose equation returns `answer`, in its fifth line."""
    head = (
        f"class Mine(Cell):\n    {states}\n    {names}\n    def equation(self, gate, state, "
        f"weight):\n"
    )
    return f"{head}        return {answer}\n"


def written(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(text)
    return str(file)


def test_obeys_every_law(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    for law in CELL_LAWS:
        law(load_cell(file))
    torch.manual_seed(0)
    for causal_law in CAUSAL_LAWS:
        causal_law(Recurrent(file, inputs=3, width=4, depth=2, zoneout=0.1))


def test_equals_the_cell_of_the_catalogue_and_gets_its_kernel(tmp_path: Path) -> None:
    assert (
        trace(load_cell(written(tmp_path, GOOD)), "mine")
        == Recurrent("lstm", inputs=3, width=4).program
    )


def test_settings_carry_the_program_and_never_run_the_file_again(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    settings = RecurrentSettings(cell=file, width=4, layer_norm="gates")
    Path(file).write_text("raise SystemExit")
    again = read(RecurrentSettings, to_plain(settings))
    assert again == settings
    assert again.build(3).program == settings.build(3).program
    assert assign(again, "cell=gru").cell == "gru"


LOW = (
    'stages = (Stage("equation", ("a",), of="h"), Stage("low", ("b",), of="h", '
    "own_width=True)); own_width = 2"
)
MISTAKES = [
    (
        cell("{'h': tahn(gate.new)}"),
        "mine.py:5: 'tahn' is not defined in `return {'h': tahn(gate.new)}`; did you mean tanh?",
    ),
    (
        cell("{'h': gate.knew}"),
        "mine.py:5: this stage has no gate 'knew' in `return {'h': gate.knew}`; did you mean new?",
    ),
    (
        cell("{'h': state.hh}"),
        "mine.py:5: there is no state 'hh' in `return {'h': state.hh}`; did you mean h?",
    ),
    (
        cell("{'h': gate.new.y}"),
        "an expression has no 'y' in `return {'h': gate.new.y}`; a gate has the parts .x and .h",
    ),
    (
        cell("{'k': gate.new}"),
        (
            "mine.py:2: the state 'h' is never assigned in `states = (\"h\",)`; let the "
            "equation return it, as in"
        ),
    ),
    (
        cell("{'h': gate.new, 'k': gate.new}"),
        "mine.py:5: 'k' is not a state in `return {'h': gate.new, 'k': gate.new}`; choose",
    ),
    (
        cell("{'h': gate.new, 'h': 1.0}"),
        "mine.py:5: 'h' is given twice in `return {'h': gate.new, 'h': 1.0}`; give each",
    ),
    (
        cell("[gate.new]"),
        "mine.py:5: the method does not return a dict in `return [gate.new]`; return one, as in {'h': ...}",
    ),
    (
        cell("{}", names='gates = ("a", "a")'),
        'mine.py:3: the gate name \'a\' is repeated in `gates = ("a", "a")`; give each its own',
    ),
    (
        cell("{}", states='states = ("h", "h")'),
        'mine.py:2: the state name \'h\' is repeated in `states = ("h", "h")`; give',
    ),
    ("x = 1", "mine.py: there is no cell; define one class that inherits from Cell"),
    (
        GOOD + GOOD.replace("Forgetful", "Other"),
        "mine.py: there are 2 cells: Forgetful, Other; define one class",
    ),
    ("class Mine(Cell):\n    pass", "mine.py: Mine has no equation; write a method `equation`"),
    (
        cell("{'h': tanh(gate.new)"),
        "mine.py:5: '{' was never closed in `return {'h': tanh(gate.new)`; correct the syntax",
    ),
    (
        cell("{'h': gate.new * float('inf')}"),
        "mine.py:5: the number inf is not finite in `return {'h': gate.new * ",
    ),
    (
        cell("{'h': gate.new * log(0.0)}"),
        "mine.py:5: log(0.0) is not finite in `return {'h': gate.new * log(0.0)}`",
    ),
    (
        cell("{'h': gate.new / 0}"),
        "mine.py:5: a division by 0 is not finite in `return {'h': gate.new / 0}`",
    ),
    (
        cell("{'h': gate.new * 1e39}"),
        "mine.py:5: the number 1e+39 is not finite in 32 bits in `return {",
    ),
    (
        cell("{'h': gate.new}", states='states = "h"'),
        'mine.py:2: states is not a list of names in `states = "h"`; list them, as',
    ),
    (
        cell("{'h': gate.new}", names='gates = ("new",); bias = {"new": "one"}'),
        "mine.py:3: bias is not a finite number for each gate in `gates = ",
    ),
    (
        cell("{'h': gate.new}", names='gates = ("new",); own_width = -3'),
        "mine.py:3: own_width is not a positive integer in `gates = ",
    ),
    (
        cell("{'h': gate.new}", names='gates = ("new",); recurrence = "ident"'),
        "mine.py:3: 'ident' is not an initialisation in `gates = ",
    ),
    (
        cell("{'h': gate.new}", names='stages = ("equation",)'),
        "mine.py:3: stages are not made by Stage(...) in `stages",
    ),
    (
        (
            "class Mine(Cell):\n    states = ('h',)\n    def equation(self, gate):\n        "
            "return {}\n"
        ),
        (
            "mine.py:3: TypeError: Mine.equation() takes 2 positional arguments but 4 were "
            "given in `def equation"
        ),
    ),
    (
        (
            "class Mine(Cell):\n    def __init__(self):\n        1 / 0\n    def "
            "equation(self, *all):\n        pass\n"
        ),
        "mine.py:3: ZeroDivisionError: division by zero in `1 / 0`",
    ),
    ("raise SystemExit", "mine.py:1: SystemExit:  in `raise SystemExit`"),
    (cell("{'h': 'gate'}"), "mine.py:5: 'gate' is neither a number nor an expression in `return {"),
    (
        cell("{'h': gate.new if gate.new else 0}"),
        "mine.py:5: an equation cannot branch on a value in `return",
    ),
    (
        cell("{'h': gate.new ** 0.5}"),
        "mine.py:5: unsupported power 0.5 in `return {'h': gate.new ** 0.5}`; use ** 2",
    ),
    (cell("{'h': state.h * 2}"), "mine.py: no state depends on the gate 'new'; drop it, or use it"),
    (cell("{'h': gate.new.x}"), "mine.py: no state depends on gate.h of 'new'; drop it, or use it"),
    (
        cell("{'h': 0.5}", names="gates = ()"),
        "mine.py: the state 'h' is constant; use the gates",
    ),
    (
        cell("{'h': gate.new}", names="gates = ('new',); weights = ('w',)"),
        "mine.py:3: the weight name 'w' is never used in `gates",
    ),
    (
        cell("{}", names="bias = {'nwe': 1.0}; gates = ('new',)"),
        "mine.py:3: bias names the unknown gate 'nwe' in `bias = {'nwe': 1.0}; gates = ",
    ),
    (
        cell("{}", states="pass"),
        'mine.py: the cell has no states; name them, as in states = ("h",)',
    ),
    (
        "import nothing_here",
        "mine.py:1: ModuleNotFoundError: No module named 'nothing_here' in `import nothing_here`",
    ),
    (
        cell("{}", names='stages = (Stage("go", ("a",), of="h"),)'),
        "mine.py:3: there is no method for the stage 'go' in `stages = ",
    ),
    (
        cell("{}", names='stages = (Stage("equation", ("a",), of="g"),)'),
        "stage 'equation' multiplies 'g', which is not defined",
    ),
    (
        cell("{'h': gate.a}", LOW, "states = ('h', 'k')")
        + "    def low(self, gate, state, weight):\n"
        "        return {'k': gate.b + state.h}",
        (
            "mine.py:7: add combines units of two widths in `return {'k': gate.b + state.h}`; "
            "use another stage"
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[expected for _, expected in MISTAKES])
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError) as told:
        RecurrentSettings(cell=written(tmp_path, text))
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.py: cannot be read: No such file"):
        load_cell(tmp_path / "none.py")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"bytes\.py: is not UTF-8 text"):
        load_cell(tmp_path / "bytes.py")


def test_settings_that_contradict_the_cell() -> None:
    with pytest.raises(SettingError, match=r"there is no cell 'lsmt'; did you mean lstm\?"):
        Recurrent("lsmt", inputs=3)
    with pytest.raises(SettingError, match=r"no setting 'widht'; did you mean width\?"):
        Recurrent("lstm", inputs=3, widht=4)
    with pytest.raises(
        SettingError, match="forget_bias needs a gate `forget`, and the cell tanh has none"
    ):
        Recurrent("tanh", inputs=3, forget_bias=1.0)
    with pytest.raises(
        SettingError, match="weight_drop needs recurrent weights, and the cell mingru has none"
    ):
        Recurrent("mingru", inputs=3, weight_drop=0.5)
    with pytest.raises(
        SettingError, match=r"needs more than one layer; set body\.depth=2, or output_dropout"
    ):
        Recurrent("lstm", inputs=3, variational_dropout=0.5)
