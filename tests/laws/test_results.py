"""Every verb's result: the same keys, JSON both ways, and one table on the terminal and in the
card."""

import json
from pathlib import Path

import pytest
from tiny_runs import VERBS, made

from ensue.api import find_task
from ensue.escape import for_markdown
from ensue.tasks.model_card import records, summarise
from ensue.tasks.results import Result
from ensue.training.folder.run import Run

KEYS = {
    *("run", "task", "metrics", "baselines", "rows", "recommendation", "comparison"),
    *("retrain", "selected", "warnings", "details", "notes"),
}
ROW = {
    *("name", "role", "metrics", "intervals", "unit", "seconds", "parameters"),
    *("count", "totals", "selected"),
}


@pytest.fixture(scope="module", params=[*VERBS])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    quick = VERBS[request.param].quick
    return made(request.param, "finished", tmp_path_factory.mktemp("run"), quick)


def test_a_result_has_the_same_keys_for_every_verb(run: Path) -> None:
    values = json.loads((run / "result.json").read_text())
    assert values.keys() == KEYS
    assert all(row.keys() == ROW for row in values["rows"])
    *baselines, own = values["rows"]
    assert values["metrics"] == own["metrics"]
    assert values["baselines"] == {row["name"]: row["metrics"] for row in baselines}
    assert own["count"] > 0
    assert own["intervals"].keys() <= own["metrics"].keys()
    assert Result.from_json(values).to_json() == values


def test_terminal_and_card_show_the_same_table_advice_and_warnings(run: Path) -> None:
    opened, card = Run.open(run), (run / "report.md").read_text()
    values = json.loads((run / "result.json").read_text())
    report = find_task(values["task"]).report
    summary = summarise(opened, report)
    for cells in (summary.columns, *summary.rows):
        assert "| " + " | ".join(for_markdown(one, cell=True) for one in cells) + " |" in card
    assert f"95 % interval of {summary.columns[1]}" in summary.columns
    assert summary.lines[0] == f"Recommendation: {values['recommendation']}."
    assert all(f"Warning: {one}." in summary.lines for one in values["warnings"])
    assert all(for_markdown(one) in card for one in (summary.lines[0], *values["selected"]))
    assert all(command.startswith("ensue ") for command, _ in summary.commands)
    assert any(str(run) in command for command, _ in summary.commands)
    titles = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    sections = report.sections(Result.from_json(values), opened)
    expected = [one.title for one in sections if any(block.markdown for block in one.blocks)]
    assert titles[: len(expected) + 1] == ["Results on the test part", *expected]
    assert titles[-2:] == ["Limits", "Reproduction"]


def test_a_table_of_records_escapes_what_comes_from_data() -> None:
    rows = [{"name": "a|b", "count": 1234, "f1": float("nan")}]
    (block,) = records(rows, {"name": "tag", "count": "words", "f1": "F1"})
    assert block.markdown.splitlines()[2] == "| a\\|b | 1,234 | none |"
    assert "<tr><td>a|b</td><td>1,234</td><td>none</td></tr>" in block.html
    assert records([], {"name": "tag"}) == []
