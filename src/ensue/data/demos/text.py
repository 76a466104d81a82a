"""Demo of English prose that comes with Python: the topics of `help()`."""

from pydoc_data import topics


def read_help_topics() -> str:
    """Return all topics, sorted by name, as one text."""
    texts = (topics.topics[name].strip("\n") for name in sorted(topics.topics))
    return "\n\n\n".join(texts) + "\n"
