"""Reader of contents and labels in Python lists, as scikit-learn passes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ensue.data.contract import SILENT, Listener
from ensue.data.labelled import Content, Example, LabelledReader


class InMemoryReader(LabelledReader):
    """Example i is `contents[i]` with the label `labels[i]`; its line is i + 1.

    >>> [(example.content, example.label) for example in InMemoryReader(["good", "bad"], [1,
    ...     0]).examples()]
    [('good', 1), ('bad', 0)]
    """

    def __init__(
        self,
        contents: Sequence[Content],
        labels: Sequence[Any] | None = None,
        groups: Sequence[Any] | None = None,
    ) -> None:
        self.contents, self.labels, self.groups = contents, labels, groups

    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Yield the examples in order."""
        for place, content in enumerate(self.contents):
            label = None if self.labels is None else self.labels[place]
            group = None if self.groups is None else str(self.groups[place])
            case = "" if isinstance(content, str) else str(place + 1)
            row = {"case": place + 1} if case else {}
            yield Example(content, label, "examples", place + 1, group, row, case=case)
