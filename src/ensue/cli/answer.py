"""`ensue VERB` of every verb whose request and data are all that its command takes."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ensue.cli.flags import FLAGS, Typed, read_data
from ensue.cli.output import write_answers
from ensue.tasks import VERBS, Verb


def __getattr__(name: str) -> App:
    """Make the command of a verb."""
    if name not in VERBS:
        raise AttributeError(f"there is no verb {name!r}")
    app = App(name=name)
    app.default(make_command(VERBS[name]))
    return app


def make_command(verb: Verb) -> Any:
    """Make the function that answers for a verb, with the fields of its request as flags."""

    def command(
        run: Annotated[Path, Parameter(help="Run folder.")],
        data: Annotated[Typed, Parameter(help=verb.data)],
        /,
        *,
        request: Any = verb.request(),  # noqa: B008 - it is frozen
        out: Annotated[
            Path | None, Parameter(help="Output file; by default the standard output.")
        ] = None,
        json: Annotated[bool, Parameter(help=f"Write JSON Lines, one object {verb.unit}.")] = False,
    ) -> None:
        from ensue.cli.progress import answering, open_run

        given = read_data(data, out, verb)
        model = open_run(run, verb.name, typed=data)
        with answering(model, request, given, verb.activity) as found:
            write_answers(found, out, None if json else model.lines)

    command.__annotations__["request"] = Annotated[verb.request, FLAGS]
    command.__doc__ = verb.help
    return command
