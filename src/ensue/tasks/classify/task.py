"""The task `classify`: one label per sequence, with calibrated probabilities."""

from __future__ import annotations

from ensue.data.codecs import CONTENT_SETTINGS, Measurements
from ensue.data.demos import DEMOS
from ensue.data.detect import get_given, guess_labelled_format
from ensue.data.readers.formats import LABELLED
from ensue.errors import SettingError, did_you_mean
from ensue.tasks.classify.data import DATA
from ensue.tasks.classify.settings import (
    MAX_SERIES_LENGTH,
    MODEL_REASONS,
    MODELS,
    READER_DEFAULTS,
    ClassifySettings,
)
from ensue.tasks.classify.trained import open_classifier
from ensue.tasks.classify.training import TRAINING
from ensue.tasks.contract import Choices, Proposal
from ensue.tasks.demos import demo_name
from ensue.tasks.pipeline import make_task
from ensue.tasks.pretrained import match_pretrained, refuse_pretrained
from ensue.tasks.proposal import (
    apply_overrides,
    change,
    finish,
    load_config,
    with_budget,
    with_model,
)


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    settings, values = load_config(ClassifySettings, choices)
    reasons, given = list[str](), values.get("data", {})
    if "reader" not in given:
        name, reason = _choose_reader(choices)
        settings = change(settings, data=change(settings.data, reader=name))
        reasons += [reason] if reason else []
    kind = settings.data.reader.name
    usual = READER_DEFAULTS.get(kind, {})
    if isinstance(usual.get("codec"), Measurements) and "max_length" not in given:
        settings = change(settings, data=change(settings.data, max_length=MAX_SERIES_LENGTH))
    defaults = {part: value for part, value in usual.items() if part not in values}
    settings = change(settings, **defaults)
    if choices.codec is not None:
        known = choices.codec in CONTENT_SETTINGS  # else the unit of a text codec
        codec = choices.codec if known else {"name": "text", "unit": choices.codec}
        settings = change(settings, codec=codec)
    name = None
    if choices.model is None and "model" in defaults:
        reasons.append(f"{MODEL_REASONS[kind]} (choose with --model)")
    elif choices.model is None and "model" not in values:
        name, why = "convolution", "fast, and accurate on short texts"
        assigned = any(one.startswith("model.auxiliary") for one in choices.assignments)
        if assigned or "auxiliary" in choices.flags:
            name, why = "lstm", "the auxiliary loss needs a unidirectional model"
        reasons.append(f"model {name}: {why} (choose with --model)")
    settings = with_model(settings, choices, MODELS, name)
    settings = apply_overrides(with_budget(settings, choices), choices)
    if usual and settings.codec.name != usual["codec"].name:
        what = f"the codec {settings.codec.name} does not fit data of the format {kind}"
        raise SettingError(what, where="--codec", hint="leave it out")
    if settings.pretrained and (kind == "trees" or settings.model.name != "network"):
        what = "data of trees" if kind == "trees" else f"the model {settings.model.name}"
        raise refuse_pretrained(what)
    if settings.pretrained and choices.model is None and "model" not in values:
        settings = change(settings, model=match_pretrained(settings.model, settings.pretrained))
        reasons.append(f"embedding and body of {settings.pretrained}, so that its weights fit")
    return finish(settings, reasons, choices)


def _choose_reader(choices: Choices) -> tuple[str, str | None]:
    """Choose the reader from assignments and file names; also give the reason, if guessed."""
    given = get_given(ClassifySettings, choices.flags, choices.assignments)
    if "data.reader.name" not in given and (demo := demo_name(choices.data, "classify")):
        return DEMOS[demo].format, None
    name, reason = guess_labelled_format(choices.data, given)
    if name not in LABELLED:
        what = f"there is no format {name!r}"
        raise SettingError(what, where="--format", hint=did_you_mean(name, LABELLED))
    return name, reason


TASK = make_task(TRAINING, _propose, open_classifier, prepare=DATA.read_into)
"""The task of `ensue train classify`."""
