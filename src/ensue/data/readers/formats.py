"""Registry of the readers of labelled examples, by the name of the file format."""

from ensue.data.readers.fasttext import FastText
from ensue.data.readers.folders import Folders
from ensue.data.readers.series_file import SeriesFile
from ensue.data.readers.trees import Trees
from ensue.data.tables.labelled import LabelledTable
from ensue.data.tables.long import LongTable
from ensue.settings import Settings

LABELLED: dict[str, type[Settings]] = {
    "table": LabelledTable,
    "folders": Folders,
    "fasttext": FastText,
    "long_table": LongTable,
    "series_file": SeriesFile,
    "trees": Trees,
}
"""Settings of the readers of labelled examples, by format.

`resolved(files, listener, labelled)` returns the settings with guessed values filled in, and
reports them to `listener`. `build(files, labelled)` returns a LabelledReader. `labelled` is false
where labels may be missing.
"""
