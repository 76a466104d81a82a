"""`ensue generate`: generate text from a trained model."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ensue.cli.flags import FLAGS
from ensue.cli.output import Output, show_finding, show_line, write_answers
from ensue.escape import for_terminal
from ensue.tasks.generate import GenerateRequest

if TYPE_CHECKING:
    from ensue.tasks.generate.steps.trained import StepGenerator
    from ensue.tasks.generate.trained import GeneratedText, TextModel

app = App(name="generate")


@app.default
def generate(  # noqa: PLR0913 - each is a flag
    run: Path,
    /,
    *,
    prompt: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    request: Annotated[GenerateRequest, FLAGS] = GenerateRequest(),  # noqa: B008 - it is frozen
    greedy: bool = False,
    interactive: bool = False,
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Generate text, or sequences of records, from a trained model.

    Args:
        run: Run folder.
        prompt: Prompt to continue; - reads it from the standard input. For a run over records, the
            table whose rows begin a sequence.
        greedy: Greedy decoding; the same as --temperature 0.
        interactive: Interactive mode: type and let the model continue, or pick the next symbol.
        out: Output file; by default the standard output.
        plot: Plot file of records, .png, .svg or .pdf.
        json: Write JSON Lines, one object a sample.
    """
    from ensue.cli.progress import open_run
    from ensue.errors import SettingError

    several = json or request.novelty or request.samples > 1
    if interactive and (several or out is not None or prompt == "-"):
        what, hint = (
            "--interactive writes one plain text",
            "leave out --samples, --novelty, --out and --json",
        )
        if prompt == "-":
            what, hint = "--interactive reads the standard input itself", "leave out --prompt -"
        raise SettingError(what, where="generate", hint=hint)
    if greedy and request.temperature not in (0, 1):
        what, hint = "--greedy is --temperature 0", "leave one of them out"
        raise SettingError(what, where="--temperature", hint=hint)
    request = request.model_copy(update={"temperature": 0.0}) if greedy else request
    model: Any = open_run(run, "generate")
    if model.kind == "steps":
        if interactive:
            what = "the run generates rows of a table"
            raise SettingError(what, where="--interactive", hint="leave it out")
        write_records(model, prompt, request, out, plot, json)
        return
    if plot is not None:
        what = "the run generates text, which cannot be drawn"
        raise SettingError(what, where="--plot", hint="leave it out")
    prompt = read_prompt(prompt)
    several = several or out is not None
    if interactive:
        from ensue.cli.interactive import converse

        converse(model, prompt, request)
    elif several:
        print_samples(model, prompt, request, json, out)
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


def print_samples(
    model: TextModel, prompt: str, request: GenerateRequest, as_json: bool, out: Path | None
) -> None:
    """Write samples as JSON Lines, or as texts.

    Several texts have a heading each, unless they are lines without novelty.
    """
    from ensue.cli.progress import answering

    request = request.model_copy(update={"novelty": request.novelty or as_json})
    headed = request.samples > 1 and (model.codec.end is None or request.novelty)

    def format_text(sample: GeneratedText) -> str:
        nats = f"{sample.nats / max(sample.symbols, 1):.2f} nats per symbol"
        heading = f"--- sample {sample.number + 1}: {nats}\n" if headed else ""
        novelty = f"[{for_terminal(str(sample.novelty))}]\n" if sample.novelty else ""
        return f"{heading}{prompt}{sample.text}\n{novelty}"

    what = "generating, and searching the training data for copies"
    with answering(model, request, prompt, what if request.novelty else "generating") as answers:
        write_answers(answers, out, None if as_json else lambda found: map(format_text, found))


def write_records(
    model: StepGenerator,
    prompt: str,
    request: GenerateRequest,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Generate sequences and write them; `prompt` is the file of a table, or empty."""
    from ensue.atomic_io import write_atomically
    from ensue.cli.progress import answering
    from ensue.data.files import spool_stdin
    from ensue.inspection.pictures import check_ending, draw_sequences, render

    if plot is not None:
        check_ending(plot)
    with ExitStack() as stack:
        path = Path(prompt) if prompt else None
        if prompt == "-":
            path, _ = stack.enter_context(spool_stdin(name=model.name_piped))
        answers = list(stack.enter_context(answering(model, request, path, "generating")))
    write_answers(answers, out, None if as_json else model.lines)
    if plot is not None:
        # New sequences have ids of their own, and share the empty prompt.
        first = [one for one in answers if one.prompt is answers[0].prompt]
        drawn: Any = [one.steps for one in first]
        write_atomically(
            plot, render(plot.suffix[1:].lower(), draw_sequences, first[0].prompt, drawn)
        )
        if out is not None:
            show_line(f"plot written: {plot}")
