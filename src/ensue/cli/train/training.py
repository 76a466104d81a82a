"""What all of `ensue train VERB` do with their flags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.cli.train.options import TrainOptions

if TYPE_CHECKING:
    from ensue.tasks import Proposal


def train(
    task: str, data: Sequence[Path], said: TrainOptions, model: str | None = None, **own: Any
) -> None:
    """Train, tell how it goes, and show what came out; or print every setting, and train nothing.

    `own` are the verb's own flags; those that are None were not said.
    """
    from ensue import api
    from ensue.cli.progress import BufferedProgress, Ticking, follow
    from ensue.cli.train.result import show_result

    known = api.find_task(task)
    shared = said.model_dump(exclude={"out", "show_settings", "as_json"})
    proposal = known.propose(api.choices_of(known, data, {"model": model, **shared, **own}))
    if said.show_settings:
        print_settings(proposal)
        return
    with Ticking(follow(said.as_json)) as ticking:
        watch = BufferedProgress(ticking)
        trained = api.start(known, proposal, data, said.out or vacant(), watch)
        watch.release()
    show_result(trained.run, said.as_json)


def vacant() -> Path:
    """Find a name that no run has yet."""
    return next(folder for number in count(1) if not (folder := Path(f"run-{number}")).exists())


def print_settings(proposal: Proposal) -> None:
    """Print every setting as TOML, with the reasons of what was chosen as comments."""
    import tomli_w

    from ensue.cli.output import Output, show_line
    from ensue.settings import to_plain

    for reason in proposal.reasons:
        show_line(f"# {reason}")
    Output().write(tomli_w.dumps(to_plain(proposal.settings)))
