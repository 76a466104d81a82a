"""Writing in turns: a person types, the model goes on; or the person picks from what it finds
likeliest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ensue.cli.generate import warn_of_unknown
from ensue.cli.output import Output
from ensue.data.files import refuse_undecoded
from ensue.decoding.rollout import read
from ensue.decoding.stepper import predict
from ensue.errors import DataError

if TYPE_CHECKING:
    from ensue.tasks.generate.trained import TextModel

HELP = """Type something, and the model goes on from it. An empty line: it goes on by itself.
?: show the ten likeliest next symbols.  ?3: take the third.  Ctrl-D ends."""
SHOWN = 10


def converse(model: TextModel, text: str, asked: dict[str, Any]) -> None:
    """Take turns until the input ends; each turn of the model has its own seed."""
    print(HELP)
    asked = {"length": 80, "seed": 1} | asked
    for turn in range(10**9):
        try:
            typed = input("> ")
            refuse_undecoded(typed, "-")
        except EOFError:
            print()
            return
        except UnicodeDecodeError as error:
            what = f"byte 0x{error.object[error.start]:02X} is not {error.encoding.upper()}"
            raise DataError(what, where="-", hint="give text in UTF-8") from None
        if typed.startswith("?"):
            text += choose(model, text, typed[1:])
            continue
        warn_of_unknown(model, typed)
        text += typed
        written = model.generate(text, **asked | {"seed": asked["seed"] + turn})
        print(typed + written, file=Output())
        text += written


def choose(model: TextModel, text: str, wanted: str) -> str:
    """Show the likeliest symbols, and give the text of the one that was wanted by its number, if
    any."""
    ids, probabilities = likeliest(model, text)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(ids):
        chosen = model.codec.decode([int(ids[int(wanted) - 1])])
        print(text[-40:] + chosen, file=Output())
        return chosen
    for number, (id, probability) in enumerate(zip(ids, probabilities, strict=True), 1):
        print(f"{number:>3}  {probability:6.1%}  {model.codec.symbol(int(id))!r}")
    return ""


def likeliest(model: TextModel, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the ids that most probably follow a text, and their probabilities."""
    state, inputs = read(model.model, [model.context(text)])
    scores, _ = predict(model.model, inputs, state)
    ids = np.argsort(-scores[0], kind="stable")[:SHOWN]
    return ids, np.exp(scores[0, ids])
