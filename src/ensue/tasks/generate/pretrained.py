"""Fine-tuning: start from the network of another run, whose codec gets new symbols."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from ensue.data.codecs import load_codec
from ensue.data.codecs.grown import Grown
from ensue.data.detect import get_given
from ensue.data.text_parts import TextParts
from ensue.errors import SettingError
from ensue.evaluation.likelihood import Likelihood
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.unigram import symbol_counts
from ensue.models.parameters import load_into
from ensue.models.sequence import grow_symbols
from ensue.settings import assign, flatten, read_stored, to_plain
from ensue.tasks.contract import Choices
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.pretrained import Pretrained, refuse_pretrained
from ensue.tasks.proposal import change
from ensue.training.contract import Callback, Note

RATE_SHARE = 1 / 4
"""Default learning rate of fine-tuning, as a share of that of the pretrained run."""
REGULARISATION = ("dropout", "weight_drop", "zoneout")
"""Settings of a network that may differ from those of the pretrained one."""
SHOWN = 10
"""New symbols that a note names."""


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


def choose_codec(settings: GenerateSettings, known: Mapping[str, Any] | None) -> Any:
    """Choose what fits the codec; a run that has one (`known`) needs the pretrained no more."""
    if not settings.pretrained:
        return settings.codec
    codec = load_codec(dict(known)) if known else Pretrained.open(settings.pretrained).codec
    return Grown(codec, settings.codec)


def load_pretrained(
    folder: str, network: Any, data: TextParts, symbols: int, on_event: Callback
) -> dict[str, Any]:
    """Load the weights of a pretrained run, and return what the report says of it.

    New symbols begin as copies of the unknown symbol, and share its probability with it. So the
    network begins with the distribution that it had. About so many `symbols` of the validation part
    are scored before it is trained further.
    """
    pretrained, codec = Pretrained.open(folder), data.codec
    old = pretrained.codec
    first, count = codec.size if old.unknown is None else old.unknown, codec.size - old.size
    new = np.arange(first, first + count)  # they come before the unknown symbol
    sharing = np.arange(first, min(first + count + 1, codec.size))
    load_into(network, grow_symbols(pretrained.network().arrays(), network, new, sharing), folder)
    counts = symbol_counts(data.train.ids, codec.size)[new]
    share = float(counts.sum() / len(data.train))
    note = f"no symbol was added to those of {folder}"
    if count:
        names = [repr(codec.symbol(id)) for id in new[np.argsort(-counts, kind="stable")[:SHOWN]]]
        named = ", ".join(names) + f" and {count - SHOWN:,} more" * (count > SHOWN)
        note = f"new symbols, added to those of {folder}: {named}"
        note += f" ({count:,}, {share:.2%} of the training part)"
    on_event(Note(note))
    # As `ensue evaluate` scores its run: there new symbols are unknown, and cost their spelling.
    spelling = np.zeros(codec.size)
    spelling[sharing] = -log(count + 1)
    for id in new.tolist():
        spelling[id] += sum(nats for _, nats in old.unknowns(codec.symbol(id)))
    network.eval()
    before = score_validation(network, data, symbols, spelling)
    network.train()
    return {"run": folder, "new": count, "share": share, "before": before}


def score_validation(network: Any, data: TextParts, symbols: int, spelling: Any = None) -> float:
    """Compute nats per character on about so many `symbols` of the validation part.

    `spelling` are further nats of each id.
    """
    some = ScoredText.of(data.validation, symbols)
    nats = some.nats(network) + (0.0 if spelling is None else spelling[some.text.ids])
    return Likelihood.of(some.text, nats).nats_per_character
