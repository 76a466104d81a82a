"""English prose that every Python brings along: the topics that `help()` shows."""

from pathlib import Path
from pydoc_data import topics


def write_text(path: Path) -> None:
    """Write all topics, sorted by their names, as one text."""
    texts = (topics.topics[name].strip("\n") for name in sorted(topics.topics))
    path.write_text("\n\n\n".join(texts) + "\n", encoding="utf-8", newline="\n")
