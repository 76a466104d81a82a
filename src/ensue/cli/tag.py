"""`ensue tag`: tag every word of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App

from ensue.cli.flags import FLAGS, Typed, read_data
from ensue.cli.output import write_answers
from ensue.tasks.tag import TagRequest

app = App(name="tag")


@app.default
def tag(
    run: Path,
    data: Typed,
    /,
    *,
    request: Annotated[TagRequest, FLAGS] = TagRequest(),  # noqa: B008 - it is frozen
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Tag every word of a text; writes CoNLL-U.

    Args:
        run: Run folder.
        data: File or folder (plain text or a format of `ensue train tag`), a text, or - for
            standard input.
        out: Output file; by default the standard output.
        json: Write JSON Lines, one object a sentence.
    """
    from ensue.cli.progress import answering
    from ensue.tasks.tag.inputs import as_conllu

    with answering(run, "tag", request, read_data(data, out, "tag"), "tagging") as (model, found):
        write_answers(
            found,
            out,
            None
            if json
            else lambda found: (
                as_conllu(model, number, one) for number, one in enumerate(found, 1)
            ),
        )
