"""Write docs/settings.md, and the flags of `ensue train`, from the settings classes, the only
place where defaults and descriptions stand."""

import json
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator

from ensue.settings import Choice, FlagField, Settings, find_flags, visit_fields
from ensue.tasks import TASKS, VERBS, Task

PATH = Path(__file__).parent / "settings.md"
INTRODUCTION = """\
# Settings

Every setting, its default, and what it is for; made from the code by
`python docs/make_settings.py`. Change one with `--set key=value`, where the key may be shortened
to an unambiguous end (`--set body.width=512`), or many with
`--config FILE`, which may be the `run.toml` of a run. `--show-settings` prints them all, filled in.
"""


def table(title: str, kind: type[Settings]) -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    whole = kind() if not any(one.is_required() for one in kind.model_fields.values()) else None

    def see(name: str, field: Any) -> None:
        if name.split(".")[-1] == "name":
            return
        # A verb may set other defaults than those of the class of a part.
        default = attrgetter(name)(whole) if whole else field.get_default(call_default_factory=True)
        shown = default.name if isinstance(default, Settings) else default  # type: ignore[attr-defined]
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{name}` | {'' if shown in (None, '') else f'`{shown}`'} | {text} |")

    visit_fields(kind, see)
    return f"## {title}\n\n" + "\n".join(rows)


def entries(kind: type[Settings], prefix: str = "") -> Iterator[tuple[str, str, type[Settings]]]:
    """Yield the key, the name and the settings of every part that can be chosen."""
    choices: list[tuple[str, Choice]] = []

    def see(name: str, field: Any) -> None:
        choices.extend(
            (f"{prefix}{name}", one) for one in field.metadata if isinstance(one, Choice)
        )

    visit_fields(kind, see)
    for key, one in choices:
        for name, part in one.catalogue.items():
            yield key, name, part
            yield from entries(part, f"{key}.")


def kinds() -> Iterator[tuple[str, type[Settings]]]:
    """Yield a title for each kind of data of each verb, and its settings."""
    for name, task in TASKS.items():
        yield f"`train {name}`", task.settings
        yield from ((f"`train {name}`, {kind}", one.settings) for kind, one in task.kinds.items())


def page() -> str:
    tables = [table(title, kind) for title, kind in kinds()]
    verbs: dict[type[Settings], dict[str, None]] = {}
    titles: dict[type[Settings], str] = {}
    for verb, task in TASKS.items():
        every = [one for kind in (task, *task.kinds.values()) for one in entries(kind.settings)]
        for key, name, part in every:
            verbs.setdefault(part, {})[verb] = None
            titles.setdefault(part, f"`{key}`: {name}")
    tables += [table(f"{title} ({', '.join(verbs[part])})", part) for part, title in titles.items()]
    tables += [
        table(f"`{name}` (flags, and keywords in Python)", verb.request)
        for name, verb in VERBS.items()
    ]
    return INTRODUCTION + "\n" + "\n\n".join(tables) + "\n"


def type_of(flag: FlagField) -> str | list[str]:
    """Name the type of a flag's values as `ensue train` reads them, or list the values."""
    kind: Any = flag.field.annotation
    if get_origin(kind) is Literal:
        return [value for value in get_args(kind) if value]
    if flag.path:
        return "path"
    if kind is Any or any(isinstance(one, BeforeValidator) for one in flag.field.metadata):
        return "text"  # The name of a part, or a text that the setting parses itself.
    names = {str: "text", int: "integer", int | None: "integer", tuple[str, ...]: "texts"}
    return names[kind]


def merge_types(task: Task, name: str) -> str | list[str]:
    """Name the type of a flag, or list its values for all kinds of data."""
    every = [find_flags(one.settings) for one in (task, *task.kinds.values())]
    types = [type_of(flags[name]) for flags in every if name in flags]
    if isinstance(types[0], str):
        return types[0]
    return list(dict.fromkeys(value for one in types for value in one))


def comes_later(named: tuple[str, FlagField]) -> bool:
    """Sort what most people choose before names of files and columns."""
    return named[0] not in ("model", "codec")


def flags(task: Task) -> str:
    """List the flags of a verb as JSON, for a command line that loads no settings class."""
    table = {
        name: {
            "type": merge_types(task, name),
            "help": " ".join((flag.field.description or "").split("\n\n")[0].split()),
        }
        for name, flag in sorted(task.flags.items(), key=comes_later)
    }
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
    for verb in VERBS.values():
        verb.flags_file.write_text(flags(verb.task), encoding="utf-8")
