"""The verb `tag`: one label for every word of a sentence, such as its part of speech."""

from typing import Literal, TypeAlias

from ensue.settings import Settings
from ensue.tasks.verb import Verb

InputFormat: TypeAlias = Literal["auto", "text", "lines", "conllu", "columns", "tsv", "jsonl"]


class TagRequest(Settings):
    """How a text to tag is read."""

    read: InputFormat = "auto"
    """Format of the input; auto recognises and prints it."""


VERB = Verb(
    name="tag",
    description="predict one label for every word of a sentence",
    request=TagRequest,
    help="Tag every word of a text.",
    training_help="Train a tagger of words, such as parts of speech or named entities.",
    training_data="Tagged sentences (CoNLL-U, CoNLL columns, TSV, JSON Lines), or a demo; by "
    "default the demo `tokens`.",
    demos=("tokens",),
    data="File or folder (plain text or a format of `ensue train tag`), a text, or - for standard "
    "input.",
    unit="a sentence",
    activity="tagging",
)
