"""Settings: one frozen class per choice, beside the part that it builds; read, changed and written
in one way.

A settings class is the only place where a default stands. The command line's help, `run.toml` and
the docs are made from it. A field that holds a choice of parts is annotated with
`choice(CATALOGUE)`; its settings then carry the part's `name`.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

from ensue.atomic_io import HINT
from ensue.errors import RunError, SettingError, UserError, did_you_mean


class Settings(BaseModel):
    """The settings of one part; frozen, keyword-only, and unknown names are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


S = TypeVar("S", bound=Settings)
LONG_NUMBER = re.compile(r"[0-9](_?[0-9]){4000}")
"""What Python makes no number of, with advice for programmers."""
TYPED = 200
"""Characters of what a person typed that an error repeats."""


def untrusted_file_error(
    file: str, values: Mapping[str, Any] | None = None, where: str | None = None
) -> SettingError:
    """Give the error of a Python file, with what a person types instead of what stands in these
    values."""
    keys = [key for key, value in flatten(values or {}) if value == file]
    flags = " ".join(f"--set {shlex.quote(f'{key}={file}')}" for key in keys)
    hint = f"remove it there and pass {flags}" if flags else None
    error = SettingError(f"the Python file {file!r} is not run from here", where=where, hint=hint)
    error.untrusted_file = file
    return error


def choice(catalogue: Mapping[str, type[Settings]]) -> BeforeValidator:
    """Let a field hold the settings of one part of a catalogue, chosen by its `name`:
    Annotated[Any, choice(...)].

    A plain string chooses a part with its defaults.
    """

    def pick(value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, Settings):
            return value
        fields = {"name": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise SettingError(
                f"{field.field_name!r} cannot be {value!r:.60}", hint=did_you_mean("", catalogue)
            )
        name = fields.get("name")
        if not isinstance(name, str) or name not in catalogue:
            raise SettingError(
                f"there is no {field.field_name} {name!r:.60}",
                hint=did_you_mean(str(name), catalogue),
            )
        return (read_trusted if is_trusted(field) else read)(catalogue[name], fields)

    return BeforeValidator(pick)


def read(kind: type[S], values: Mapping[str, Any], where: str | None = None) -> S:
    """Make settings of plain values, as they come from TOML. Raises UserError on the first wrong
    one."""
    return _read(kind, values, where, trusted=False)


def read_trusted(kind: type[S], values: Mapping[str, Any], where: str | None = None) -> S:
    """Do the same with what a person typed, or passed in Python: they may name a Python file,
    which is run."""
    return _read(kind, values, where, trusted=True)


def read_stored(kind: type[S], values: Any, where: str) -> S:
    """Make settings of what stands in a run. Raises RunError, for nobody but a training writes
    there."""
    if not isinstance(values, Mapping):
        raise RunError("there are no settings in it", where=where, hint=HINT)
    try:
        return read(kind, values, where)
    except UserError as error:
        raise RunError(error.what, where=error.where, hint=HINT) from None


def is_trusted(field: ValidationInfo) -> bool:
    """Tell whether a setting comes from a person of this session; settings that Python makes
    itself do."""
    return field.context is None or bool(field.context["trusted"])


def _read(kind: type[S], values: Mapping[str, Any], where: str | None, trusted: bool) -> S:
    try:
        return kind.model_validate(dict(values), context={"trusted": trusted})
    except ValidationError as error:
        raise _as_setting_error(error.errors()[0], kind, where) from None
    except UserError as error:
        if where is not None and isinstance(error, SettingError) and error.untrusted_file:
            # The key of the file is known only here, where all settings are at hand.
            error = untrusted_file_error(error.untrusted_file, values, where)
        raise (error if where is None else error.at(where)) from None


def _as_setting_error(
    detail: ErrorDetails, kind: type[Settings], where: str | None
) -> SettingError:
    # Of a field that may be several things, pydantic names the one it tried last:
    # "order.constrained-int".
    path = ".".join(str(step) for step in detail["loc"] if str(step).replace("_", "a").isalnum())
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(str(detail["loc"][-1]), kind.model_fields)
        return SettingError(f"there is no setting {path!r}", where=where, hint=hint)
    value = repr(detail["input"])[:60]
    return SettingError(f"{path!r} cannot be {value}: {detail['msg'].lower()}", where=where)


def to_plain(settings: Settings) -> dict[str, Any]:
    """Give every setting, filled in, as plain values for TOML; those that are None are left out."""
    return settings.model_dump(mode="json", exclude_none=True)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk over nested plain values as dotted keys: ("body.width", 512)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def assign(settings: S, assignment: str, flag: str | None = None) -> S:
    """Change one setting, written `key=value` as after `--set`; a key may be shortened to its
    unambiguous end.

    The key of a choice of parts, `model.body=bag-of-context`, takes another one with its defaults;
    of several values, one may stand alone. `flag` is what a person wrote instead, which an error
    names. Raises SettingError if the key is unknown or ambiguous, or the value does not fit.
    """
    key, equals, text = assignment.partition("=")
    if not equals:
        raise SettingError(
            f"{assignment!r:.{TYPED}} has no value", where="--set", hint="write it as key=value"
        )
    values = settings.model_dump(mode="json")
    single = [name for name, _ in flatten(values)]
    choices = [name.removesuffix(".name") for name in single if name.endswith(".name")]
    try:
        full_key = _complete(key.strip(), single + choices)
    except SettingError as error:
        room, _, last = key.rpartition(".")
        if flag and room in choices:
            what = f"{room} {dict(flatten(values))[f'{room}.name']!r} has no {last!r}"
            raise SettingError(what, where=flag, hint="leave it out") from None
        raise error.at(flag or "--set") from None
    *path, last = full_key.split(".")
    part: Any = values
    for step in path:
        part = part[step]
    value = _parse(text.strip())
    part[last] = (
        [value] if isinstance(part.get(last), list) and not isinstance(value, list) else value
    )
    where = flag or f"--set {assignment:.{TYPED}}"
    try:
        return read_trusted(type(settings), values, where=where)
    except SettingError as error:
        raise error.at(where) from None


def _complete(key: str, known: list[str]) -> str:
    found = [name for name in known if name == key] or [
        name for name in known if name.endswith(f".{key}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingError(f"{key!r} is ambiguous", hint=f"choose from {', '.join(found)}")
    endings = {
        ".".join(name.split(".")[cut:]): name
        for name in known
        for cut in range(name.count(".") + 1)
    }
    raise SettingError(f"there is no setting {key!r:.{TYPED}}", hint=did_you_mean(key, endings))


def _parse(text: str) -> Any:
    """Read a value as TOML would, and as a bare string where TOML cannot."""
    try:
        return parse_toml(f"value = {text}".encode())["value"]
    except ValueError:
        return text


def parse_toml(data: bytes) -> dict[str, Any]:
    r"""Read TOML. Raises ValueError that says why it is none.

    >>> parse_toml(b"seed = 1\nrate = " + b"9" * 5000)
    Traceback (most recent call last):
    ValueError: a number of thousands of digits stands in line 2
    """
    text = data.decode()
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        long = None if isinstance(error, tomllib.TOMLDecodeError) else LONG_NUMBER.search(text)
        if long is None:
            raise
        line = text.count("\n", 0, long.start()) + 1
        raise ValueError(f"a number of thousands of digits stands in line {line}") from None


def visit_fields(kind: type[Settings], visit: Callable[[str, Any], None], prefix: str = "") -> None:
    """Call `visit` with the dotted name and pydantic's FieldInfo of each field: for help texts and
    docs."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings) and inner is not Settings:
            visit_fields(inner, visit, f"{prefix}{name}.")
        else:
            visit(f"{prefix}{name}", field)


def to_finite(value: Any) -> Any:
    """Write what is no finite number as null, as JSON has it."""
    if isinstance(value, Mapping):
        return {key: to_finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value
