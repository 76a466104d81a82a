"""Files as streams of text, or as examples with labels, one reader for each kind."""

from ensue.data.readers.fasttext import FastText
from ensue.data.readers.folders import Folders
from ensue.data.readers.labelled_table import LabelledTable
from ensue.data.readers.long_table import LongTable
from ensue.data.readers.series_file import SeriesFile
from ensue.data.readers.trees import Trees
from ensue.settings import Settings

LABELLED: dict[str, type[Settings]] = {
    "table": LabelledTable,
    "folders": Folders,
    "fasttext": FastText,
    "long_table": LongTable,
    "series_file": SeriesFile,
    "trees": Trees,
}
"""Readers of examples with labels. Their settings have `settled(files, listener, labelled)`, which gives them with what
was guessed filled in, and tells it; and `build(files, labelled) -> LabelledReader`. `labelled` is false where labels
may be missing."""
