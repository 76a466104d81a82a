"""What the request of every verb obeys: it says the flags of its command, the keywords in Python,
and a complete schema."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


QUICK = {
    "generate": "ngram",
    "classify": "ngram-bayes",
    "tag": "most-frequent-tag",
    "forecast": "ridge",
}
FLAGS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "generate": (
        ["--samples", "3", "--length", "9", "--top-p", "0.9", "--novelty"],
        {"samples": 3, "length": 9, "top_p": 0.9, "novelty": True},
    ),
    "classify": (["--text", "words"], {"text": "words"}),
    "tag": (["--read", "lines"], {"read": "lines"}),
    "forecast": (["--horizon", "3", "--seed", "5"], {"horizon": 3, "seed": 5}),
}


def test_every_verb_has_a_request() -> None:
    assert TASKS.keys() == VERBS.keys() == FLAGS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_prints_the_answers_to_its_request(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_runs.made(verb, "finished", tmp_path, model=QUICK[verb])
    new = tmp_path / "new.csv"
    new.write_text("words\nthe 1 cat 2\nthe 2 cat 1\n")
    text = "the cat sees the road"
    data = {"generate": text, "classify": new, "tag": text, "forecast": None}[verb]
    flags, options = FLAGS[verb]
    typed = [] if data is None else ["--prompt", text] if verb == "generate" else [str(data)]
    capsys.readouterr()
    assert main([verb, str(run), *typed, *flags, "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    model = ensue.open(run)
    assert model.request is VERBS[verb].request
    answers = list(model.answer(model.make_request(**options), data))
    assert printed == [json.loads(json.dumps(one.to_json())) for one in answers]
    assert len(printed) == {"generate": 3, "classify": 2, "tag": 1, "forecast": 1}[verb]
    with pytest.raises(SettingError, match=f"^{verb}: there is no setting 'nothing'"):
        model.make_request(nothing=1)
