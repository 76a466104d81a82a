"""Turn options into settings, alike for all tasks: first the file, then options, then `--set`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from ensue.errors import SettingError
from ensue.layers import RecurrentSettings
from ensue.models.names import Models, is_network, resize
from ensue.settings import Settings, assign, find_flags, parse_toml, read, set_flag
from ensue.tasks.contract import Choices, Proposal
from ensue.training.folder.run import SMALL

S = TypeVar("S", bound=Settings)


def read_config(path: Path | None) -> dict[str, Any]:
    """Read a file of settings, or the settings in the run.toml of a run. Raises SettingError."""
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            data = file.read(SMALL + 1)  # a limit, for /dev/zero has no end
        if len(data) > SMALL:
            raise ValueError(f"it is longer than {SMALL:,} bytes")
        values = parse_toml(data)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise SettingError(what, where=str(path), hint="check --config") from None
    except ValueError as error:
        what = f"this is not TOML: {error}"
        raise SettingError(what, where=str(path), hint="see `--show-settings`") from None
    of_a_run = "format" in values and isinstance(values.get("settings"), dict)
    return values["settings"] if of_a_run else values


def load_config(kind: type[S], choices: Choices) -> tuple[S, dict[str, Any]]:
    """Load settings from the file, if one is given, and return its raw values too.

    A model that is named is trained alone, unless the file has more to say of a mixture.
    """
    values, own = read_config(choices.config), kind.model_fields["task"].default
    if (task := values.get("task", own)) != own:
        hint = f"train with `ensue train {task}`, or give another file"
        what = f"these are settings of {task}, not of {own}"
        raise SettingError(what, where=str(choices.config), hint=hint)
    settings = read(kind, values, where=str(choices.config) if choices.config else None)
    assigned = any(one.startswith(("model=", "model.name=")) for one in choices.assignments)
    named = assigned or ("model" in values and "use" not in values.get("mixture", {}))
    if (named or choices.model is not None) and "mixture" in kind.model_fields:
        settings = change(settings, mixture={"use": "never"})
    return settings, values


NETWORK_OPTIONS = {"size": (None,), "epochs": (None,), "device": (None, "auto", "cpu")}
"""Options that only a network has, and their values for other models."""


def finish(settings: Any, reasons: Sequence[str], choices: Choices) -> Proposal:
    """Make the proposal; a cell that does not compile is reported before the data is read.

    Options that only a network has are no error for other models, so that one command can train
    every model in turn; a reason says that they do nothing.
    """
    unused = [
        f"--{option}"
        for option, values in NETWORK_OPTIONS.items()
        if not is_network(settings.model) and getattr(choices, option) not in values
    ]
    if unused:
        what = f"{settings.model.name} is fitted in closed form and ignores {' and '.join(unused)}"
        reasons = [*reasons, f"{what} (a network uses them: --model lstm)"]
    body = getattr(settings.model, "body", None)
    if isinstance(body, RecurrentSettings):
        body.program()
    return Proposal(settings, tuple(reasons))


def change(settings: S, **changes: Any) -> S:
    """Change fields, and validate them as those of a file."""
    return read(type(settings), {**dict(settings), **changes})


def with_budget(settings: S, choices: Choices) -> S:
    """Apply budget, device and seed, where they were given.

    `settings` has the fields training and seed.
    """
    now: Any = settings
    budget: dict[str, Any] = {}
    if choices.minutes is not None and choices.epochs is not None:
        what = "only one budget is allowed"
        raise SettingError(what, where="--minutes and --epochs", hint="give one of them")
    if choices.minutes is not None:
        budget = {"minutes": choices.minutes, "epochs": None, "steps": None}
    if choices.epochs is not None:
        budget |= {"epochs": choices.epochs, "steps": None}
    if choices.device is not None:
        budget["hardware"] = now.training.hardware.model_copy(update={"device": choices.device})
    flag = next(
        (
            f"--{name}"
            for name in ("minutes", "epochs")
            if name in budget and budget[name] is not None
        ),
        None,
    )
    training = read(type(now.training), {**dict(now.training), **budget}, where=flag)
    seed = now.seed if choices.seed is None else choices.seed
    return change(settings, training=training, seed=seed)


def with_model(settings: S, choices: Choices, models: Models, default: str | None = None) -> S:
    """Choose the model by name, or else the default one, and set its size.

    `settings` has the field model.
    """
    now: Any = settings
    name = choices.model or default
    model = now.model if name is None else models.resolve(name)
    return change(settings, model=model if choices.size is None else resize(model, choices.size))


def apply_overrides(settings: S, choices: Choices) -> S:
    """Apply the verb's own flags, and then the assignments of `--set`, in order."""
    for name in find_flags(type(settings)):
        if name in choices.flags:
            settings = set_flag(settings, name, choices.flags[name])
    for assignment in choices.assignments:
        settings = assign(settings, assignment)
    return settings


def propose(
    kind: type[S], models: Models, why: str, choices: Choices, reasons: Sequence[str] = ()
) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments.

    `why` is the reason for the model of the settings class, which is taken where none is named.
    """
    settings, values = load_config(kind, choices)
    if choices.model is None and "model" not in values:
        reasons = [*reasons, f"{why} (choose with --model)"]
    settings = with_model(settings, choices, models)
    return finish(apply_overrides(with_budget(settings, choices), choices), reasons, choices)
