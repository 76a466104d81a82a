"""Demo of English prose that comes with Python: the topics of `help()`."""

import re
from pydoc_data import topics

RULER = r"[-+|*=~^ ]*[-+|*=~^]{2}[-+|*=~^ ]*"
"""A line without a word: it underlines a title or bounds a table."""
ROW = r"[ ]*[+|].*"
"""A row of a table, or a further line of a grammar rule, which is mostly blanks."""


def read_help_topics() -> str:
    """Return all topics, sorted by name, as one text, without tables and rulers.

    A model learns rulers first, and would show rows of dashes as its samples.
    """
    texts = (topics.topics[name].strip("\n") for name in sorted(topics.topics))
    prose = (re.sub(rf"(?m)^(?:{RULER}|{ROW})\n", "", text + "\n") for text in texts)
    return "\n\n".join(re.sub(r"\n{3,}", "\n\n", text) for text in prose)
