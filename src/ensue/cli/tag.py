"""`ensue tag`: tag every word of a text."""

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
    """Tag every word of a text; writes CoNLL-U.

    Args:
        run: Run folder.
        data: File or folder (plain text or a format of `ensue train tag`), a text, or - for
            standard input.
        read: Format of the input; recognised and printed by default.
        out: Output file; by default the standard output.
        json: Write JSON Lines, one object a sentence.
    """
    import json as codec

    from ensue import api
    from ensue.atomic_io import write_atomically
    from ensue.cli.output import Output, refuse_overwriting
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.data.contract import Listener
    from ensue.tasks.tag.inputs import as_conllu, read_inputs
    from ensue.training.contract import Working

    refuse_overwriting(data, out)
    with Heartbeat(follow_answer(data)) as progress:
        progress(Working("opening the run"))
        model = api.open(run, "tag")
        progress(Working("tagging"))
        listener = Listener(progress.note)
        sentences = progress.each(
            model.tag_examples(read_inputs(model, data, read, listener), listener)
        )
        if json:
            written = (codec.dumps(one.to_json()) + "\n" for one in sentences)
        else:
            written = (as_conllu(model, number, one) for number, one in enumerate(sentences, 1))
        if out is not None:
            write_atomically(out, "".join(written).encode())
        else:
            for text in written:
                Output().write(text)
