"""`ensue generate`: generate text from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ensue.cli.flags import FLAGS
from ensue.cli.output import Output, show_finding, write_answers
from ensue.escape import for_terminal
from ensue.tasks.requests import GenerateRequest

if TYPE_CHECKING:
    from ensue.tasks.generate.trained import GeneratedText, TextModel

app = App(name="generate")


@app.default
def generate(
    run: Path,
    /,
    *,
    prompt: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    request: Annotated[GenerateRequest, FLAGS] = GenerateRequest(),  # noqa: B008 - it is frozen
    greedy: bool = False,
    interactive: bool = False,
    json: bool = False,
) -> None:
    """Generate text from a trained model.

    Args:
        run: Run folder.
        prompt: Prompt to continue; - reads it from the standard input.
        greedy: Greedy decoding; the same as --temperature 0.
        interactive: Interactive mode: type and let the model continue, or pick the next symbol.
        json: Print JSON Lines, one object a sample.
    """
    from ensue.cli.progress import open_run
    from ensue.errors import SettingError

    several = json or request.novelty or request.samples > 1
    if interactive and (several or prompt == "-"):
        what, hint = (
            "--interactive writes one plain text",
            "leave out --samples, --novelty and --json",
        )
        if prompt == "-":
            what, hint = "--interactive reads the standard input itself", "leave out --prompt -"
        raise SettingError(what, where="generate", hint=hint)
    if greedy and request.temperature not in (0, 1):
        what, hint = "--greedy is --temperature 0", "leave one of them out"
        raise SettingError(what, where="--temperature", hint=hint)
    request = request.model_copy(update={"temperature": 0.0}) if greedy else request
    model: TextModel = open_run(run, "generate")
    prompt = read_prompt(prompt)
    if interactive:
        from ensue.cli.interactive import converse

        converse(model, prompt, request)
    elif several:
        print_samples(model, prompt, request, json)
    else:
        stream(model, prompt, request)


def read_prompt(prompt: str) -> str:
    """Return the prompt; from the standard input without its last line break.

    Raises DataError if it is not text.
    """
    from ensue.data.files import read_text, refuse_undecoded, spool_stdin

    if prompt == "-":
        with spool_stdin() as (path, _):
            return "".join(read_text(path, "utf-8")).removesuffix("\n")
    refuse_undecoded(prompt, "--prompt")
    return prompt


def stream(model: TextModel, prompt: str, request: GenerateRequest) -> None:
    """Print the text while it is generated."""
    from ensue.data.contract import Listener

    out = Output()
    print(prompt, end="", file=out)
    for piece in model.stream(request, prompt, Listener(show_finding)):
        print(piece, end="", flush=True, file=out)
    print()


def print_samples(model: TextModel, prompt: str, request: GenerateRequest, as_json: bool) -> None:
    """Print samples as JSON Lines, or as texts.

    Several texts have a heading each, unless they are lines without novelty.
    """
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.data.contract import Listener
    from ensue.training.contract import Working

    request = request.model_copy(update={"novelty": request.novelty or as_json})
    headed = request.samples > 1 and (model.codec.end is None or request.novelty)

    def format_text(sample: GeneratedText) -> str:
        nats = f"{sample.nats / max(sample.symbols, 1):.2f} nats per symbol"
        heading = f"--- sample {sample.number + 1}: {nats}\n" if headed else ""
        novelty = f"[{for_terminal(str(sample.novelty))}]\n" if sample.novelty else ""
        return f"{heading}{prompt}{sample.text}\n{novelty}"

    what = "generating, and searching the training data for copies"
    with Heartbeat(follow_answer()) as progress:
        progress(Working(what if request.novelty else "generating"))
        answers = progress.each(model.answer(request, prompt, Listener(progress.note)))
        write_answers(answers, None, None if as_json else lambda found: map(format_text, found))
