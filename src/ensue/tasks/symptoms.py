"""What seems to have gone wrong in a training: its log, its samples and the unigram's loss, put into words."""

from __future__ import annotations

from collections.abc import Sequence

from ensue.data.prepare import Prepared
from ensue.evaluation.baselines import symbol_counts, unigram_nats
from ensue.inspection.health import ailments
from ensue.tasks.text_model import Written
from ensue.training.run import METRICS, Run


def name_symptoms(run: Run, parts: Prepared, samples: Sequence[Written]) -> tuple[str, ...]:
    """Name each failure in a sentence; none if all is well."""
    size = parts.codec.size
    unigram = float(unigram_nats(parts.tune, symbol_counts(parts.train.ids, size)).mean())
    return tuple(ailments(run.rows(METRICS), [sample.text for sample in samples], unigram, size))
