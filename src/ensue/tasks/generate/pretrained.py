"""Fine-tuning: start from the network of another run, whose codec gets new symbols."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from ensue.data.codecs import load_codec
from ensue.data.codecs.grown import Grown
from ensue.data.contract import Codec
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


class FineTuning:
    """The start of a network from the weights of a pretrained one.

    New symbols begin as copies of the unknown symbol, and share its probability with it. So the
    network begins with the distribution that it had.
    """

    def __init__(self, folder: str, codec: Codec) -> None:
        self.folder, self.codec, self.pretrained = folder, codec, Pretrained.open(folder)
        old = self.pretrained.codec
        first, count = codec.size if old.unknown is None else old.unknown, codec.size - old.size
        self.new = np.arange(first, first + count)
        """Ids of the new symbols, which come before the unknown one."""
        self.sharing = np.arange(first, min(first + count + 1, codec.size))
        """Ids that share the probability of the unknown symbol: it, and the new ones."""

    def load(self, network: Any) -> None:
        """Load the pretrained weights, and copy those of the unknown symbol to the new ones."""
        arrays = grow_symbols(self.pretrained.network().arrays(), network, self.new, self.sharing)
        load_into(network, arrays, self.folder)

    def describe_new(self, data: TextParts) -> tuple[float, str]:
        """Compute the share of the training part that new symbols have, and describe them."""
        counts, count = symbol_counts(data.train.ids, self.codec.size)[self.new], len(self.new)
        share = float(counts.sum() / len(data.train))
        if not count:
            return share, f"no symbol was added to those of {self.folder}"
        first = self.new[np.argsort(-counts, kind="stable")[:SHOWN]].tolist()
        names = ", ".join(repr(self.codec.symbol(id)) for id in first)
        names += f" and {count - SHOWN:,} more" if count > SHOWN else ""
        added = f"new symbols, added to those of {self.folder}: {names}"
        return share, f"{added} ({count:,}, {share:.2%} of the training part)"

    def score_before(self, network: Any, data: TextParts, symbols: int) -> float:
        """Score the network before its training, as `ensue evaluate` scores its run.

        There the new symbols are unknown, and cost their spelling.
        """
        spelling = np.zeros(self.codec.size)
        spelling[self.sharing] = -log(len(self.new) + 1)
        for id in self.new.tolist():
            unknown = self.pretrained.codec.unknowns(self.codec.symbol(id))
            spelling[id] += sum(nats for _, nats in unknown)
        network.eval()
        before = score_validation(network, data, symbols, spelling)
        network.train()
        return before


def score_validation(network: Any, data: TextParts, symbols: int, spelling: Any = None) -> float:
    """Compute nats per character on about so many `symbols` of the validation part.

    `spelling` are further nats of each id.
    """
    some = ScoredText.of(data.validation, symbols)
    nats = some.nats(network) + (0.0 if spelling is None else spelling[some.text.ids])
    return Likelihood.of(some.text, nats).nats_per_character
