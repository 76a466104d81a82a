"""Write docs/settings.md from the settings classes, the only place where defaults and
descriptions stand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ensue.settings import Choice, Settings, visit_fields
from ensue.tasks import TASKS
from ensue.tasks.requests import REQUESTS

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

    def see(name: str, field: Any) -> None:
        if name.split(".")[-1] == "name":
            return
        default = field.get_default(call_default_factory=True)
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


def page() -> str:
    tables = [table(f"`train {name}`", task.settings) for name, task in TASKS.items()]
    verbs: dict[type[Settings], dict[str, None]] = {}
    titles: dict[type[Settings], str] = {}
    for verb, task in TASKS.items():
        for key, name, part in entries(task.settings):
            verbs.setdefault(part, {})[verb] = None
            titles.setdefault(part, f"`{key}`: {name}")
    tables += [table(f"{title} ({', '.join(verbs[part])})", part) for part, title in titles.items()]
    tables += [
        table(f"`{verb}` (flags, and keywords in Python)", kind) for verb, kind in REQUESTS.items()
    ]
    return INTRODUCTION + "\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
