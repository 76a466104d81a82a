"""What the request of every verb obeys: it says the flags of its command, the keywords in Python,
and a complete schema."""

import subprocess
import sys
from importlib import import_module

import pytest

from ensue.settings import read, read_arguments
from ensue.tasks.requests import REQUESTS


@pytest.mark.parametrize("verb", REQUESTS)
def test_every_field_of_a_request_is_a_flag(verb: str) -> None:
    command = import_module(f"ensue.cli.{verb}").app
    flags = {name for one in command.assemble_argument_collection() for name in one.names}
    assert {f"--{name.replace('_', '-')}" for name in REQUESTS[verb].model_fields} <= flags


@pytest.mark.parametrize("verb", REQUESTS)
def test_the_schema_of_a_request_is_complete(verb: str) -> None:
    schema = REQUESTS[verb].model_json_schema()
    assert schema["description"]
    assert "$defs" not in schema  # a form needs no more than a list of fields
    for name, leaf in schema["properties"].items():
        assert leaf["description"].endswith("."), name
        assert "default" in leaf, name
        assert leaf.keys() & {"type", "enum", "anyOf"}, name


@pytest.mark.parametrize("verb", REQUESTS)
def test_the_defaults_of_a_request_are_right_everywhere(verb: str) -> None:
    kind = REQUESTS[verb]
    defaults = kind().model_dump()
    assert kind() == read_arguments(kind, defaults) == read(kind, kind().model_dump(mode="json"))


def test_requests_load_no_torch() -> None:
    program = "import sys, ensue.tasks.requests\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
