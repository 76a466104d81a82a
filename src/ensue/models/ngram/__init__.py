"""N-gram models over any codec: counting, smoothing, queries and ARPA files."""

from ensue.models.ngram.estimate import estimate
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.settings import NgramSettings

__all__ = ["Ngram", "NgramSettings", "estimate"]
