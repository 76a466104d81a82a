"""`ensue generate`: write with a run that was trained to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from ensue.cli.machine import Output, print_json, say, show_line
from ensue.cli.whole import Whole
from ensue.decoding.filters import FilterSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ensue.tasks.text_model import TextModel, Written

app = App(name="generate")


@app.default
def generate(  # noqa: PLR0913 - each is a flag
    run: Path,
    /,
    *,
    prompt: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    n: Annotated[Whole, Parameter(validator=validators.Number(gte=1))] = 1,
    length: Whole | None = None,
    stop: str | None = None,
    seed: Whole | None = None,
    greedy: bool = False,
    filters: Annotated[FilterSettings, Parameter(name="*", show_default=True)] = FilterSettings(),  # noqa: B008 - it is frozen
    allow: str | None = None,
    regex: str | None = None,
    weights: Literal["fp32", "bf16", "int8"] | None = None,
    novelty: bool = False,
    interactive: bool = False,
    json: bool = False,
) -> None:
    """Write more of what a run has learned.

    Args:
        run: The folder of the run.
        prompt: What to go on from; or - to read it from the standard input.
        n: How many samples to write.
        length: The most symbols to write; 400 if not given.
        stop: Stop once this was written.
        seed: The same seed writes the same text.
        greedy: Always take the likeliest symbol; the same as --temperature 0.
        allow: Write these characters only.
        regex: A regular expression that the whole of what is written must match.
        weights: How the network's weights are kept while it writes: bf16 and int8 are faster, and a little worse
            (`ensue evaluate RUN --weights int8` says by how much).
        novelty: Say of each sample how much of it is copied from the training data.
        interactive: Type, and the model goes on; or pick the next symbol from the likeliest.
        json: Print one JSON object a sample, for programs.
    """
    from ensue.cli.progress import opened
    from ensue.errors import SettingError

    if interactive and (json or novelty or n > 1 or prompt == "-"):
        what, mend = "--interactive writes one text, as plain text", "leave out --n, --novelty and --json"
        if prompt == "-":
            what, mend = "--interactive reads the standard input itself", "leave out --prompt -"
        raise SettingError(what, where="generate", mend=mend)
    said = {"length": length, "stop": stop, "seed": seed, "allow": allow, "pattern": regex, "weights": weights}
    asked = dict(filters) | {name: value for name, value in said.items() if value is not None}
    asked |= {"temperature": 0.0} if greedy else {}
    model: TextModel = opened(run, "generate")
    prompt = read_prompt(prompt)
    warn_of_unknown(model, prompt)
    if interactive:
        from ensue.cli.interactive import converse

        converse(model, prompt, asked)
    elif json:
        write_json(model, prompt, n, asked)
    elif n == 1 and not novelty:
        stream(model, prompt, asked)
    else:
        write(model, prompt, n, novelty, asked)


def read_prompt(prompt: str) -> str:
    """Give the prompt; that of the standard input without its last line break. Raises DataError if it is no text."""
    from ensue.data.files import piped, read_text, refuse_undecoded

    if prompt == "-":
        with piped() as (path, _):
            return "".join(read_text(path, "utf-8")).removesuffix("\n")
    refuse_undecoded(prompt, "--prompt")
    return prompt


def warn_of_unknown(model: TextModel, prompt: str) -> None:
    """Tell a person that some of their prompt means nothing to the model."""
    count = model.unknown_in(prompt)
    if count:
        what = "1 symbol of the prompt was" if count == 1 else f"{count} symbols of the prompt were"
        say(f"{what} never seen in training, and read as unknown")


def stream(model: TextModel, prompt: str, asked: dict[str, Any]) -> None:
    """Print the text as it is written."""
    out = Output()
    print(prompt, end="", file=out)
    for piece in model.stream(prompt, **asked):
        print(piece, end="", flush=True, file=out)
    print()


def write_json(model: TextModel, prompt: str, n: int, asked: dict[str, Any]) -> None:
    """Print the samples for programs; the text is what follows the prompt."""
    for sample in _written(model, prompt, n, True, asked):
        print_json({"prompt": prompt, **sample.to_json()})


def _written(model: TextModel, prompt: str, n: int, novelty: bool, asked: dict[str, Any]) -> Iterator[Written]:
    """Give the samples, and tell that they are on their way."""
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.training.contract import Working

    with Ticking(follow_answer()) as watch:
        watch(Working("writing, and searching the training data for copies" if novelty else "writing"))
        yield from watch.each(model.written(prompt, n, novelty=novelty, **asked))


def write(model: TextModel, prompt: str, n: int, novelty: bool, asked: dict[str, Any]) -> None:
    """Print the samples one below the other; samples of lines as lines, if nothing is to be said of them."""
    lines = model.codec.end is not None and not novelty
    for sample in _written(model, prompt, n, novelty, asked):
        if not lines and n > 1:
            print(f"--- sample {sample.number + 1}: {sample.nats / max(sample.symbols, 1):.2f} nats a symbol")
        print(prompt + sample.text, flush=True, file=Output())
        if sample.novelty:
            show_line(f"[{sample.novelty}]")
