"""Classify: learn what a whole sequence is, and say it of others, with how sure that is."""

from __future__ import annotations

from typing import Any

from ensue.data.codecs import CONTENT_SETTINGS
from ensue.data.demos import DEMOS, demo_name
from ensue.data.detect import OF_STEPS, guess_labelled_format
from ensue.data.readers.formats import LABELLED
from ensue.errors import SettingError, did_you_mean
from ensue.models.classifiers import NETWORKS, classifier_settings, resize_classifier
from ensue.tasks.classify.data import read_into
from ensue.tasks.classify.pretrained import like_pretrained
from ensue.tasks.classify.report import summarise
from ensue.tasks.classify.settings import MEASURED, OF_KIND, WHY, ClassifySettings
from ensue.tasks.classify.trained import open_classifier
from ensue.tasks.classify.training import train_classifier
from ensue.tasks.contract import REPORT, RESULT, Choices, Proposal, Task
from ensue.tasks.proposal import apply_overrides, change, finish, load_config, with_budget

DEMO = "modules"

OF_ALL, OF_TEXTS = ("label", "group"), ("text",)
"""Columns that a person may name."""

LONGEST_SERIES = 3000
"""Steps of measurements that are read, if nothing else is said: most series of the archives are
shorter."""


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: from the file, then from what was said, then key by key."""
    settings, values = load_config(ClassifySettings, choices)
    reasons: list[str] = []
    if "reader" not in values.get("data", {}):
        name, reason = _reader_for(choices)
        settings = change(settings, data=change(settings.data, reader=name))
        reasons += [reason] if reason else []
    kind = settings.data.reader.name
    if kind in MEASURED and "max_length" not in values.get("data", {}):
        settings = change(settings, data=change(settings.data, max_length=LONGEST_SERIES))
    usual = {part: value for part, value in OF_KIND.get(kind, {}).items() if part not in values}
    settings = change(settings, **usual)
    if choices.codec is not None:
        settings = change(settings, codec=_codec_settings(choices.codec))
    if choices.model is not None:
        settings = change(settings, model=classifier_settings(choices.model))
    elif "model" in usual:
        reasons.append(f"{WHY[kind]} (choose with --model)")
    elif "model" not in values:
        next_too = any(one.startswith("model.auxiliary") for one in choices.assignments)
        name = "lstm" if next_too else "convolution"
        settings = change(settings, model=classifier_settings(name))
        why = (
            "it reads forwards, as what comes next asks for"
            if next_too
            else "fast, and good with short texts"
        )
        reasons.append(f"model {name}: {why} (choose with --model)")
    if choices.size is not None:
        settings = change(settings, model=resize_classifier(settings.model, choices.size))
    settings = apply_overrides(with_budget(settings, choices), choices)
    if kind in OF_KIND and settings.codec.name != OF_KIND[kind]["codec"].name:
        what = (
            f"the codec {settings.codec.name} is not for data of the kind {kind}, which has "
            f"one of its own"
        )
        raise SettingError(what, where="--codec", hint="leave it out")
    if settings.pretrained and (kind == "trees" or settings.model.name != "network"):
        what = (
            f"{'trees take' if kind == 'trees' else f'the model {settings.model.name} takes'} "
            f"nothing over"
        )
        raise SettingError(
            f"{what} from a run of `generate`", where="--pretrained", hint="leave it out"
        )
    if settings.pretrained and choices.model is None and "model" not in values:
        settings = change(settings, model=like_pretrained(settings.model, settings.pretrained))
        reasons.append(f"embedding and body as in {settings.pretrained}, so that its weights fit")
    return finish(settings, reasons)


def _reader_for(choices: Choices) -> tuple[str, str | None]:
    """Say what the data is, by what was said of it, and by the names of its files."""
    said = {name: value for name, _, value in (one.partition("=") for one in choices.assignments)}
    if "data.reader.name" not in said and (demo := demo_name(choices.data, "classify", DEMO)):
        return DEMOS[demo].format, None
    name, reason = guess_labelled_format(choices.data, said)
    if name not in LABELLED:
        raise SettingError(
            f"there is no format {name!r}",
            where="--format",
            hint=did_you_mean(name, LABELLED),
        )
    return name, reason


def _codec_settings(name: str) -> Any:
    """Give the settings of a codec by its name, or by that of what a step of text is."""
    return name if name in CONTENT_SETTINGS else {"name": "text", "unit": name}


CLASSIFY = Task(
    name="classify",
    description="learn one label for a sequence, and tell it of others",
    settings=ClassifySettings,
    results=(REPORT, RESULT),
    propose=_propose,
    trains=lambda settings: settings.model.name in NETWORKS,
    train=train_classifier,
    open=open_classifier,
    summarise=summarise,
    flags={
        "format": "data.reader.name",
        "label_file": "data.label_file",
        **{role: f"data.reader.{role}" for role in (*OF_ALL, *OF_TEXTS, *OF_STEPS)},
        "pretrained": "pretrained",
        "auxiliary": "model.auxiliary",
    },
    prepare=read_into,
)
"""The task of `ensue train classify`."""
