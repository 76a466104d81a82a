"""The command `ensue train VERB`: its flags are those that the verb's settings mark."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import Field, create_model

from ensue.cli.flags import Integer
from ensue.cli.train.options import DEFAULTS, Flags
from ensue.settings import Settings
from ensue.tasks import Verb

TYPES: dict[str, Any] = {
    "text": str,
    "path": Path,
    "integer": Integer,
    "texts": Annotated[tuple[str, ...], Parameter(consume_multiple=True)],
}
CHOICES: Any = Literal
"""To be subscripted with the values of a flag."""


def make_command(verb: Verb) -> Callable[..., None]:
    """Make the function that trains for a verb, with its flags as parameters."""
    fields: Any = {}
    for name, flag in verb.flags.items():
        kind = flag["type"]
        read: Any = TYPES[kind] if isinstance(kind, str) else CHOICES[tuple(kind)]
        fields[name] = (read | None, Field(None, description=flag["help"]))
    own = create_model(f"Flags of {verb.name}", __base__=Settings, **fields)

    def command(
        *data: Annotated[Path, Parameter(help=verb.training_data)],
        own: Annotated[Any, Parameter(name="*")] = own(),  # noqa: B008 - it is frozen
        options: Flags = DEFAULTS,
    ) -> None:
        from ensue.cli.train.training import train

        train(verb.name, data, options, **dict(own))

    command.__annotations__["own"] = Annotated[own, Parameter(name="*")]
    command.__doc__ = verb.training_help
    return command
