"""`ensue generate`: write with a run that was trained to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from ensue.cli.integer import Integer
from ensue.cli.output import Output, print_json, show_finding, show_line
from ensue.decoding.sampling import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ensue.tasks.generate.trained import GeneratedText, TextModel

app = App(name="generate")


@app.default
def generate(  # noqa: PLR0913 - each is a flag
    run: Path,
    /,
    *,
    prompt: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    samples: Annotated[Integer, Parameter(validator=validators.Number(gte=1))] = 1,
    length: Integer | None = None,
    stop: str | None = None,
    seed: Integer | None = None,
    greedy: bool = False,
    filters: Annotated[
        SamplingSettings, Parameter(name="*", show_default=True)
    ] = SamplingSettings(),  # noqa: B008 - it is frozen
    allowed_characters: str | None = None,
    regex: str | None = None,
    precision: Literal["fp32", "bf16", "int8"] | None = None,
    novelty: bool = False,
    interactive: bool = False,
    json: bool = False,
) -> None:
    """Write more of what a run has learned.

    Args:
        run: The folder of the run.
        prompt: Text to continue; or - to read it from the standard input.
        samples: How many samples to write.
        length: The most symbols to write; 400 if not given.
        stop: Stop once this was written.
        seed: Random seed.
        greedy: Always take the likeliest symbol; the same as --temperature 0.
        allowed_characters: Write these characters only.
        regex: A regular expression that the whole of what is written must match.
        precision: Of the network's weights in generation: bf16 and int8 are faster, and slightly
            less accurate (`ensue evaluate RUN --precision int8` says by how much).
        novelty: Say of each sample how much of it is copied from the training data.
        interactive: Type, and the model goes on; or pick the next symbol from the likeliest.
        json: Print one JSON object a sample, for programs.
    """
    from ensue.cli.progress import opened
    from ensue.errors import SettingError

    if interactive and (json or novelty or samples > 1 or prompt == "-"):
        what, hint = (
            "--interactive writes one text, as plain text",
            "leave out --samples, --novelty and --json",
        )
        if prompt == "-":
            what, hint = "--interactive reads the standard input itself", "leave out --prompt -"
        raise SettingError(what, where="generate", hint=hint)
    given = {
        "length": length,
        "stop": stop,
        "seed": seed,
        "allowed_characters": allowed_characters,
        "regex": regex,
        "precision": precision,
    }
    options = dict(filters) | {name: value for name, value in given.items() if value is not None}
    options |= {"temperature": 0.0} if greedy else {}
    model: TextModel = opened(run, "generate")
    prompt = read_prompt(prompt)
    warn_of_unknown(model, prompt)
    if interactive:
        from ensue.cli.interactive import converse

        converse(model, prompt, options)
    elif json:
        write_json(model, prompt, samples, options)
    elif samples == 1 and not novelty:
        stream(model, prompt, options)
    else:
        write(model, prompt, samples, novelty, options)


def read_prompt(prompt: str) -> str:
    """Give the prompt; that of the standard input without its last line break. Raises DataError
    if it is no text."""
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
        show_finding(f"{what} never seen in training, and read as unknown")


def stream(model: TextModel, prompt: str, options: dict[str, Any]) -> None:
    """Print the text as it is written."""
    out = Output()
    print(prompt, end="", file=out)
    for piece in model.stream(prompt, **options):
        print(piece, end="", flush=True, file=out)
    print()


def write_json(model: TextModel, prompt: str, samples: int, options: dict[str, Any]) -> None:
    """Print the samples for programs; the text is what follows the prompt."""
    for sample in _written(model, prompt, samples, True, options):
        print_json({"prompt": prompt, **sample.to_json()})


def _written(
    model: TextModel, prompt: str, samples: int, novelty: bool, options: dict[str, Any]
) -> Iterator[GeneratedText]:
    """Give the samples, and tell that they are on their way."""
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.training.contract import Working

    with Ticking(follow_answer()) as watch:
        watch(
            Working("writing, and searching the training data for copies" if novelty else "writing")
        )
        yield from watch.each(model.written(prompt, samples, novelty=novelty, **options))


def write(
    model: TextModel, prompt: str, samples: int, novelty: bool, options: dict[str, Any]
) -> None:
    """Print the samples one below the other; samples of lines as lines, if nothing is to be said
    of them."""
    lines = model.codec.end is not None and not novelty
    for sample in _written(model, prompt, samples, novelty, options):
        if not lines and samples > 1:
            print(
                f"--- sample {sample.number + 1}: "
                f"{sample.nats / max(sample.symbols, 1):.2f} nats a symbol"
            )
        print(prompt + sample.text, flush=True, file=Output())
        if sample.novelty:
            show_line(f"[{sample.novelty}]")
