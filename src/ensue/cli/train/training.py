"""What all of `ensue train VERB` do with their flags."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensue.tasks import Choices, Proposal


def train(
    task: str, choices: Choices, out: Path | None, *, show_settings: bool = False, as_json: bool = False, **own: Any
) -> None:
    """Train, tell how it goes, and show what came out; or print every setting, and train nothing.

    `own` are the task's own flags; those that are None were not said.
    """
    from ensue import api
    from ensue.cli.progress import Held, follow
    from ensue.cli.train.result import show_result
    from ensue.training.contract import Note

    known = api.find_task(task)
    proposal = known.propose(api.with_flags(choices, known, own))
    if show_settings:
        print_settings(proposal)
        return
    watch = Held(follow(as_json), [Note(reason) for reason in proposal.reasons])
    show_result(api.start(known, proposal.settings, choices.data, out or vacant(), watch).run, as_json)


def vacant() -> Path:
    """Find a name that no run has yet."""
    return next(folder for number in count(1) if not (folder := Path(f"run-{number}")).exists())


def print_settings(proposal: Proposal) -> None:
    """Print every setting as TOML, with the reasons of what was chosen as comments."""
    import tomli_w

    from ensue.settings import to_plain

    for reason in proposal.reasons:
        print(f"# {reason}")
    print(tomli_w.dumps(to_plain(proposal.settings)), end="")
