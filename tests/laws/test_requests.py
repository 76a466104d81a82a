"""What the request of every verb obeys: it says the flags of its command, the keywords in Python,
and a complete schema."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiny_runs

import ensue
from ensue.cli.main import app, main
from ensue.errors import SettingError
from ensue.settings import read, read_arguments
from ensue.tasks import TASKS, VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_field_of_a_request_is_a_flag(verb: str) -> None:
    flags = {name for one in app[verb].assemble_argument_collection() for name in one.names}
    assert {f"--{name.replace('_', '-')}" for name in VERBS[verb].request.model_fields} <= flags


@pytest.mark.parametrize("verb", VERBS)
def test_the_schema_of_a_request_is_complete(verb: str) -> None:
    schema = VERBS[verb].request.model_json_schema()
    assert schema["description"]
    assert "$defs" not in schema  # a form needs no more than a list of fields
    for name, leaf in schema["properties"].items():
        assert leaf["description"].endswith("."), name
        assert "default" in leaf, name
        assert leaf.keys() & {"type", "enum", "anyOf"}, name


@pytest.mark.parametrize("verb", VERBS)
def test_the_defaults_of_a_request_are_right_everywhere(verb: str) -> None:
    kind = VERBS[verb].request
    defaults = kind().model_dump()
    assert kind() == read_arguments(kind, defaults) == read(kind, kind().model_dump(mode="json"))


def test_requests_load_no_torch() -> None:
    program = "import sys, ensue.tasks\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_verb_has_an_entry_in_the_tests() -> None:
    assert list(TASKS) == list(VERBS) == list(tiny_runs.VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_prints_the_answers_to_its_request(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny, new = tiny_runs.VERBS[verb], tmp_path / "new.csv"
    run = tiny_runs.made(verb, "finished", tmp_path, model=tiny.quick)
    new.write_text(tiny.new)
    typed = [str(new) if one == tiny_runs.FILE else one for one in tiny.arguments]
    capsys.readouterr()
    assert main([verb, str(run), *typed, "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    model = ensue.open(run)
    assert model.request is VERBS[verb].request
    given = new if tiny.given == tiny_runs.FILE else tiny.given
    answers = list(model.answer(model.make_request(**tiny.options), given))
    assert printed == [json.loads(json.dumps(one.to_json())) for one in answers]
    assert len(printed) == tiny.answers
    if find_spec(f"ensue.cli.{verb}") is None:  # the command is made from the request
        assert main([verb, str(run), *typed]) == 0
        assert capsys.readouterr().out == "".join(model.lines(answers)) != ""
    with pytest.raises(SettingError, match=f"^{verb}: there is no setting 'nothing'"):
        model.make_request(nothing=1)
