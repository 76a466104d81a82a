"""What commands print for programs: one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def print_json(values: Mapping[str, Any]) -> None:
    """Print one object on one line, at once, in ASCII, whatever the locale; what is no finite number is null,
    and what JSON has no way to write, such as a date, a string."""
    print(json.dumps(_finite(values), allow_nan=False, default=str), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
