"""`ensue generate`: generate text from a trained model."""

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
    """Generate text from a trained model.

    Args:
        run: Run folder.
        prompt: Prompt to continue; - reads it from the standard input.
        samples: Number of samples.
        length: Maximum length in symbols; 400 by default.
        stop: Stop string: generation ends after it.
        seed: Random seed.
        greedy: Greedy decoding; the same as --temperature 0.
        allowed_characters: Characters that samples may contain.
        regex: Regular expression that the whole sample must match.
        precision: Precision of the weights; bf16 and int8 are faster and slightly less accurate.
        novelty: Report how much of each sample is copied from the training data.
        interactive: Interactive mode: type and let the model continue, or pick the next symbol.
        json: Print JSON Lines, one object a sample.
    """
    from ensue.cli.progress import open_run
    from ensue.errors import SettingError

    if interactive and (json or novelty or samples > 1 or prompt == "-"):
        what, hint = (
            "--interactive writes one plain text",
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
    model: TextModel = open_run(run, "generate")
    prompt = read_prompt(prompt)
    warn_of_unknown(model, prompt)
    if interactive:
        from ensue.cli.interactive import converse

        converse(model, prompt, options)
    elif json:
        print_samples_json(model, prompt, samples, options)
    elif samples == 1 and not novelty:
        stream(model, prompt, options)
    else:
        print_samples(model, prompt, samples, novelty, options)


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


def warn_of_unknown(model: TextModel, prompt: str) -> None:
    """Print a note if the prompt has symbols that are unknown to the model."""
    count = model.unknown_in(prompt)
    if count:
        what = "1 symbol of the prompt is" if count == 1 else f"{count} symbols of the prompt are"
        show_finding(f"{what} unknown: not in the training data")


def stream(model: TextModel, prompt: str, options: dict[str, Any]) -> None:
    """Print the text while it is generated."""
    out = Output()
    print(prompt, end="", file=out)
    for piece in model.stream(prompt, **options):
        print(piece, end="", flush=True, file=out)
    print()


def print_samples_json(
    model: TextModel, prompt: str, samples: int, options: dict[str, Any]
) -> None:
    """Print samples as JSON Lines; `text` is what follows the prompt."""
    for sample in _generate_samples(model, prompt, samples, True, options):
        print_json({"prompt": prompt, **sample.to_json()})


def _generate_samples(
    model: TextModel, prompt: str, samples: int, novelty: bool, options: dict[str, Any]
) -> Iterator[GeneratedText]:
    """Yield samples and report progress."""
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.training.contract import Working

    with Heartbeat(follow_answer()) as progress:
        progress(
            Working(
                "generating, and searching the training data for copies"
                if novelty
                else "generating"
            )
        )
        yield from progress.each(model.written(prompt, samples, novelty=novelty, **options))


def print_samples(
    model: TextModel, prompt: str, samples: int, novelty: bool, options: dict[str, Any]
) -> None:
    """Print the samples, each under a heading unless samples are lines without novelty."""
    lines = model.codec.end is not None and not novelty
    for sample in _generate_samples(model, prompt, samples, novelty, options):
        if not lines and samples > 1:
            print(
                f"--- sample {sample.number + 1}: "
                f"{sample.nats / max(sample.symbols, 1):.2f} nats per symbol"
            )
        print(prompt + sample.text, flush=True, file=Output())
        if sample.novelty:
            show_line(f"[{sample.novelty}]")
