"""What commands print for programs: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_json(values: Mapping[str, Any]) -> None:
    """Print one object on one line, at once, in ASCII, whatever the locale; what is no finite number is null,
    and what JSON has no way to write, such as a date, a string."""
    from ensue.settings import finite

    print(json.dumps(finite(values), allow_nan=False, default=str), flush=True)
