"""Files as streams of text, one reader for each kind."""

from ensue.data.readers.lines import Lines, LinesReader
from ensue.data.readers.table import Table, TableReader
from ensue.data.readers.text import Text, TextReader
from ensue.settings import Settings

READERS: dict[str, type[Settings]] = {"text": Text, "lines": Lines, "table": Table}

__all__ = ["READERS", "Lines", "LinesReader", "Table", "TableReader", "Text", "TextReader"]
