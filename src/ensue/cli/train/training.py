"""Train as the flags of `ensue train VERB` say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.cli.train.options import TrainOptions

if TYPE_CHECKING:
    from ensue.tasks import Proposal


def train(task: str, data: Sequence[Path], options: TrainOptions, **own: Any) -> None:
    """Train a model, report progress and print the result; or print the settings only.

    `own` are the verb's own flags; a flag that is None was not given.
    """
    from ensue.cli.progress import BufferedProgress, Heartbeat, follow

    trained = None
    with Heartbeat(follow(options.as_json)) as heartbeat:
        from ensue import api  # it loads torch, which takes seconds

        known = api.find_task(task)
        shared = options.model_dump(exclude={"out", "show_settings", "as_json"})
        proposal = known.propose(api.make_choices(known, data, {**shared, **own}))
        if not options.show_settings:
            progress = BufferedProgress(heartbeat)
            trained = api.start(known, proposal, data, options.out or vacant_folder(), progress)
            progress.release()
    if trained is None:
        print_settings(proposal)
        return
    from ensue.cli.train.result import show_result

    show_result(trained.run, options.as_json)


def vacant_folder(name: str = "run") -> Path:
    """Find the first of run-1, run-2, ... that does not exist."""
    return next(folder for number in count(1) if not (folder := Path(f"{name}-{number}")).exists())


def print_settings(proposal: Proposal) -> None:
    """Print all settings as TOML, with the reasons for chosen values as comments."""
    import tomli_w

    from ensue.cli.output import Output, show_line
    from ensue.settings import to_plain

    for reason in proposal.reasons:
        show_line(f"# {reason}")
    Output().write(tomli_w.dumps(to_plain(proposal.settings)))
