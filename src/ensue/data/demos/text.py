"""English prose that every Python brings along: the topics that `help()` shows."""

from pydoc_data import topics


def text() -> str:
    """Give all topics, sorted by their names, as one text."""
    texts = (topics.topics[name].strip("\n") for name in sorted(topics.topics))
    return "\n\n\n".join(texts) + "\n"
