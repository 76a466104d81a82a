"""Estimators for scikit-learn: they work in its pipelines, searches and cross-validation.

>>> from ensue.sklearn import SequenceClassifier
>>> model = SequenceClassifier("summary-features").fit([[0, 1, 0, 1], [1, 1, 1, 2, 1]] * 4,
...     ["swings", "stays"] * 4)
>>> model.predict([[0, 1, 0], [1, 2, 1, 1, 1]]).tolist()
['swings', 'stays']
"""

from ensue.sklearn.classifier import SequenceClassifier
from ensue.sklearn.forecaster import Forecaster
from ensue.sklearn.tagger import SequenceTagger

__all__ = ["Forecaster", "SequenceClassifier", "SequenceTagger"]
