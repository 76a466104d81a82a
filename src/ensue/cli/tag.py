"""`ensue tag`: say of every word of a text what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(name="tag")


@app.default
def tag(
    run: Path,
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    read: Literal["auto", "text", "lines", "conllu", "columns", "tsv", "jsonl"] = "auto",
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Say of every word of a text what it is, as CoNLL-U.

    Args:
        run: The folder of the run.
        data: A file or folder: plain text, one sentence a line, or one of the formats of `ensue
            train tag`, whose tags may be missing; or a text; or - for the standard input.
        read: How to read it; recognised by name and lines, and printed, if not given.
        out: Write to this file.
        json: Write one JSON object a sentence, for programs.
    """
    import json as codec

    from ensue import api
    from ensue.atomic_io import write_atomically
    from ensue.cli.output import Output, refuse_overwriting
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.data.contract import Listener
    from ensue.tasks.tag.inputs import as_conllu, read_inputs
    from ensue.training.contract import Working

    refuse_overwriting(data, out)
    with Ticking(follow_answer(data)) as watch:
        watch(Working("opening the run"))
        model = api.open(run, "tag")
        watch(Working("tagging"))
        listener = Listener(watch.say)
        told = watch.each(model.tagged(read_inputs(model, data, read, listener), listener))
        if json:
            written = (codec.dumps(one.to_json()) + "\n" for one in told)
        else:
            written = (as_conllu(model, number, one) for number, one in enumerate(told, 1))
        if out is not None:
            write_atomically(out, "".join(written).encode())
        else:
            for text in written:
                Output().write(text)
