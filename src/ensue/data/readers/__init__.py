"""Files as streams of text, one reader for each kind."""

from ensue.data.readers.folders import Folders, FoldersReader
from ensue.data.readers.labelled_table import LabelledTable, LabelledTableReader
from ensue.data.readers.lines import Lines, LinesReader
from ensue.data.readers.listed import Listed
from ensue.data.readers.long_table import LongTable, LongTableReader
from ensue.data.readers.series_file import SeriesFile, SeriesFileReader
from ensue.data.readers.table import Table, TableReader
from ensue.data.readers.text import Text, TextReader
from ensue.data.readers.trees import Trees, TreesReader, are_trees
from ensue.settings import Settings

READERS: dict[str, type[Settings]] = {"text": Text, "lines": Lines, "table": Table}

LABELLED: dict[str, type[Settings]] = {
    "table": LabelledTable,
    "folders": Folders,
    "long_table": LongTable,
    "series_file": SeriesFile,
    "trees": Trees,
}
"""Readers of examples with labels. Their settings have `settled(files, listener, labelled)`, which gives them with what
was guessed filled in, and tells it; and `build(files, labelled) -> LabelledReader`. `labelled` is false where labels
may be missing."""

__all__ = [
    "LABELLED",
    "READERS",
    "Folders",
    "FoldersReader",
    "LabelledTable",
    "LabelledTableReader",
    "Lines",
    "LinesReader",
    "Listed",
    "LongTable",
    "LongTableReader",
    "SeriesFile",
    "SeriesFileReader",
    "Table",
    "TableReader",
    "Text",
    "TextReader",
    "Trees",
    "TreesReader",
    "are_trees",
]
