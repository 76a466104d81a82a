"""Fine-tuning: start from the network of another run, whose codec gets new symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ensue.data.detect import get_given
from ensue.errors import SettingError
from ensue.settings import assign, flatten, read_stored, to_plain
from ensue.tasks.contract import Choices
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.pretrained import Pretrained, refuse_pretrained
from ensue.tasks.proposal import change

RATE_SHARE = 1 / 4
"""Default learning rate of fine-tuning, as a share of that of the pretrained run."""
REGULARISATION = ("dropout", "weight_drop", "zoneout")
"""Settings of a network that may differ from those of the pretrained one."""


def start_from(
    settings: GenerateSettings, values: Mapping[str, Any], choices: Choices, reasons: list[str]
) -> tuple[GenerateSettings, Mapping[str, Any]]:
    """Take codec, network and learning rate from the pretrained run, if one is given.

    Settings that the file has (`values`) are kept. Returns the values with what was taken. Raises
    SettingError for an option that chooses another network or codec.
    """
    given = get_given(GenerateSettings, choices.flags, choices.assignments)
    folder = str(given.get("pretrained", values.get("pretrained", ""))).strip('"')
    if not folder:
        return settings, values
    for option in ("model", "size", "codec"):
        if getattr(choices, option) is not None:
            what = f"network and codec are those of {folder}"
            raise SettingError(what, where=f"--{option}", hint="leave it out")
    about = Pretrained.open(folder).run.about["settings"]
    known = read_stored(GenerateSettings, about, f"{folder}/run.toml")
    taken = {part: getattr(known, part) for part in ("model", "codec") if part not in values}
    settings = change(settings, **taken)
    reasons.append(f"model and codec: those of {folder}")
    if "learning_rate" not in values.get("training", {}).get("optimiser", {}):
        rate = RATE_SHARE * known.training.optimiser.learning_rate
        settings = assign(settings, f"training.optimiser.learning_rate={rate}")
        reasons.append(f"learning_rate {rate:g}: a quarter of that of {folder}")
    return settings, {**values, **taken}


def refuse_contradictions(settings: GenerateSettings) -> None:
    """Raise SettingError if network or codec are not those of the pretrained run.

    Raises RunError if its network is damaged.
    """
    pretrained = Pretrained.open(settings.pretrained)
    pretrained.network()
    if settings.model.name != pretrained.settings.name:
        raise refuse_pretrained(f"the model {settings.model.name}")
    known = {"model": to_plain(pretrained.settings), "codec": pretrained.codec.to_json()}
    own = {"model": to_plain(settings.model), "codec": {"name": settings.codec.name}}
    there = dict(flatten(known))
    for key, value in flatten(own):
        if value != there.get(key) and not key.endswith(REGULARISATION):
            what = f"{settings.pretrained} has {there.get(key)!s:.60}, not {value!s:.60}"
            raise SettingError(what, where=key, hint="leave it out")
