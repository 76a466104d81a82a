"""Interactive generation: a person types and the model continues, or the person picks symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ensue.cli.output import Output, show_finding
from ensue.data.contract import Listener
from ensue.data.files import refuse_undecoded
from ensue.decoding.continuation import Continuation
from ensue.decoding.rollout import read
from ensue.decoding.stepper import log_probabilities
from ensue.errors import DataError

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateRequest
    from ensue.tasks.generate.trained import TextModel

HELP = """Type a text and the model continues it. An empty line: it continues by itself.
?: show the ten most probable next symbols.  ?3: take the third.  Ctrl-D ends."""
SHOWN, LENGTH = 10, 80


def converse(model: TextModel, text: str, request: GenerateRequest) -> None:
    """Take turns until the input ends.

    Each turn of the model has its own seed, so that equal prompts give different continuations.
    """
    print(HELP)
    listener = Listener(show_finding)
    model.warn_of_unknown(text, listener)
    length = request.length if "length" in request.model_fields_set else LENGTH
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
        model.warn_of_unknown(typed, listener)
        text += typed
        turned = request.model_copy(update={"length": length, "seed": request.seed + turn})
        continuation = next(model.answer(turned, text)).text
        print(typed + continuation, file=Output())
        text += continuation


def choose(model: TextModel, text: str, requested: str) -> str:
    """Print the most probable next symbols, or return the text of the one with a given number."""
    ids, probabilities = most_probable(model, text)
    if requested.isdecimal() and 1 <= int(requested) <= len(ids):
        chosen = model.codec.decode([int(ids[int(requested) - 1])])
        print(text[-40:] + chosen, file=Output())
        return chosen
    for number, (id, probability) in enumerate(zip(ids, probabilities, strict=True), 1):
        print(f"{number:>3}  {probability:6.1%}  {model.codec.symbol(int(id))!r}")
    return ""


def most_probable(model: TextModel, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable next ids after a text, and their probabilities."""
    state, inputs = read(model.model, [model.begin(text).ids])
    scores = log_probabilities(Continuation(model.model, state, inputs).read())
    ids = np.argsort(-scores[0], kind="stable")[:SHOWN]
    return ids, np.exp(scores[0, ids])
