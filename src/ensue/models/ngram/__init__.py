"""N-gram models over any codec: counting, smoothing, queries and ARPA files."""

from ensue.models.ngram.arpa import write_arpa
from ensue.models.ngram.arpa_reading import read_arpa
from ensue.models.ngram.counts import count
from ensue.models.ngram.estimation import choose, estimate, fit
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.settings import NgramSettings

__all__ = [
    "Ngram",
    "NgramSettings",
    "choose",
    "count",
    "estimate",
    "fit",
    "read_arpa",
    "write_arpa",
]
