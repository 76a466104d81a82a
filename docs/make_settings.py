"""Write docs/settings.md from the settings classes, the only place where defaults and
descriptions stand."""

from pathlib import Path
from typing import Any

from ensue.data.codecs import CODECS, CONTENT_SETTINGS
from ensue.data.readers.formats import LABELLED
from ensue.heads import HEADS, TAG_HEADS
from ensue.heads.numbers import NUMBERS
from ensue.layers import ENCODERS, LAYERS
from ensue.settings import Settings, visit_fields
from ensue.tasks import TASKS
from ensue.tasks.generate.trained import GenerationSettings

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


def page() -> str:
    tables = [table(f"`train {name}`", task.settings) for name, task in TASKS.items()]
    catalogues = {
        "codec": CODECS,
        "model": TASKS["generate"].models.parts,
        "model.body": LAYERS,
        "model.head": HEADS,
    }
    for prefix, catalogue in catalogues.items():
        tables += [table(f"`{prefix}`: {name}", kind) for name, kind in catalogue.items()]
    predicting = {
        "data.reader": LABELLED,
        "codec": CONTENT_SETTINGS,
        "model": TASKS["classify"].models.parts,
        "model.body": {name: ENCODERS[name] for name in ENCODERS if name not in LAYERS},
    }
    for prefix, catalogue in predicting.items():
        tables += [
            table(f"`{prefix}` of verbs that predict: {name}", kind)
            for name, kind in catalogue.items()
        ]
    for prefix, catalogue in {
        "model": TASKS["forecast"].models.parts,
        "model.head": NUMBERS,
    }.items():
        tables += [
            table(f"`{prefix}` of `forecast`: {name}", kind) for name, kind in catalogue.items()
        ]
    for prefix, catalogue in {"model": TASKS["tag"].models.parts, "model.head": TAG_HEADS}.items():
        tables += [table(f"`{prefix}` of `tag`: {name}", kind) for name, kind in catalogue.items()]
    tables.append(table("`generate` (flags, and keywords in Python)", GenerationSettings))
    return INTRODUCTION + "\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
