"""What `ensue list cells` says of a cell is what the engine does."""

import re
from pathlib import Path

import pytest

from ensue.cells import CELLS
from ensue.cells.user import load_cell
from ensue.engine import trace, with_normalised_gates, with_zoneout
from ensue.engine.describe import describe
from ensue.engine.schedule import plan

PAGE = Path(__file__).parent.parent.parent / "docs" / "writing-a-cell.md"


def test_the_page_on_cells_shows_what_it_says(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (tmp_path / "leaky.py").write_text(re.findall(r"```python\n(class.*?)```", text, re.DOTALL)[0])
    shown = re.findall(r"```\n(forward:.*?)```", text, re.DOTALL)[0]
    assert describe(trace(load_cell(tmp_path / "leaky.py"), "leaky")).startswith(shown)


def test_the_cost_of_an_lstm() -> None:
    # Forward it reads W x of four gates, h and c, and writes four activations, c, tanh(c) and h.
    assert describe(trace(CELLS["lstm"](), "lstm")).endswith(
        "forward: 8 operations, 5 of them functions or quotients, and 2 x 4 x width in "
        "products with U; "
        "24 bytes read, 28 written\n"
        "  backward: 13 operations, 0 of them functions or quotients, and 2 x 4 x width "
        "in products with U; "
        "64 bytes read, 28 written"
    )


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_state_and_weight_is_told_of(cell: str) -> None:
    plain = trace(CELLS[cell](), cell)
    for program in (plain, with_zoneout(plain), with_normalised_gates(plain)):
        text = describe(program)
        forward, backward = text.split("backward:\n")[:2]
        for state in program.states:
            assert f"\n  {state}' = " in forward
            assert f"\n  dstate.{state} = " in f"\n{backward}"
        for gate in (gate for part in program.stages for gate in part.gates):
            assert f"gate.{gate}" in forward
            assert re.search(rf"^  dgate\.{gate}(\.x)? = ", backward, re.MULTILINE)
        for weight in program.weights:
            assert f"\n  dweight.{weight.name} = " in f"\n{backward}"
        stored = re.findall(r"stored for the backward pass: (.*)", text)[0]
        kept = [
            place for place in plan(program).derivative.kept if program.nodes[place].op != "weight"
        ]
        assert len(stored.split(", ")) == len(kept)
