"""Models of the tags of a sentence: counted ones, and a network."""

from ensue.models.tagging.frequent import FrequentTag, FrequentTagSettings
from ensue.models.tagging.hmm import HMM, HMMSettings
from ensue.models.tagging.network import Tagger, TaggerSettings
from ensue.settings import Settings

TAGGERS: dict[str, type[Settings]] = {"frequent": FrequentTagSettings, "hmm": HMMSettings, "tagger": TaggerSettings}

__all__ = [
    "HMM",
    "TAGGERS",
    "FrequentTag",
    "FrequentTagSettings",
    "HMMSettings",
    "Tagger",
    "TaggerSettings",
]
