"""Settings classes: one frozen class per component, defined beside the code that it builds.

A default is defined only in a settings class. The command line's help, `run.toml` and the docs are
generated from it. A field that selects a component is annotated with `Choice(CATALOGUE)`; its
settings then carry the component's `name`.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from ensue.atomic_io import HINT
from ensue.errors import RunError, SettingError, UserError, did_you_mean


class Settings(BaseModel):
    """Base of settings: frozen, keyword-only, unknown names are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


S = TypeVar("S", bound=Settings)
SizeName: TypeAlias = Literal["tiny", "small", "base", "large"]
"""Size of a network."""
Precision: TypeAlias = Literal["fp32", "bf16", "int8"]
"""Precision of matrices; int8 has a scale per output."""
LONG_NUMBER = re.compile(r"[0-9](_?[0-9]){4000}")
"""Numbers longer than Python's limit on parsing integers."""
LONG_HEXADECIMAL = re.compile("0(x[0-9a-fA-F_]{3000}|o[0-7_]{3000}|b[01_]{3000})")
TYPED = 200
"""Characters of user input that an error message repeats."""


def untrusted_file_error(
    file: str, values: Mapping[str, Any] | None = None, where: str | None = None
) -> SettingError:
    """Build the error for a Python file that is not executed; it names flags that execute it."""
    keys = [key for key, value in flatten(values or {}) if value == file]
    flags = " ".join(f"--set {shlex.quote(f'{key}={file}')}" for key in keys)
    hint = f"remove it there and pass {flags}" if flags else None
    error = SettingError(f"the Python file {file!r} is not run from here", where=where, hint=hint)
    error.untrusted_file = file
    return error


@dataclass(frozen=True)
class Choice:
    """Annotates a field that holds the settings of one entry of a catalogue, chosen by `name`.

    Use it as Annotated[Any, Choice(CATALOGUE)]. A plain string chooses an entry with its defaults.
    The field is a discriminated union: the JSON schema has every entry.
    """

    catalogue: Mapping[str, type[Settings]]
    usual: str | None = None
    """The entry of settings without a `name`."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Pick the entry, then validate it as one of the union."""
        kinds = {name: handler.generate_schema(kind) for name, kind in self.catalogue.items()}
        union = core_schema.tagged_union_schema(kinds, discriminator="name")
        return core_schema.no_info_before_validator_function(self._pick, union)

    def _pick(self, value: Any) -> Any:
        if isinstance(value, Settings):
            return value
        fields = {"name": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise _choice_error(
                f"'{{path}}' cannot be {value!r:.60}", did_you_mean("", self.catalogue)
            )
        name = fields.get("name", self.usual)
        if not isinstance(name, str) or name not in self.catalogue:
            hint = did_you_mean(str(name), self.catalogue)
            raise _choice_error(f"there is no {{path}} {name!r:.60}", hint)
        for other in fields.keys() - self.catalogue[name].model_fields.keys():
            if takers := [key for key, one in self.catalogue.items() if other in one.model_fields]:
                hint = f"leave it out, or first choose {' or '.join(takers)}"
                raise _choice_error(f"{{path}} {name!r} has no {other!r}", hint)
        return {**fields, "name": name}


def _choice_error(what: str, hint: str | None) -> PydanticCustomError:
    """Make the error of a choice, whose path pydantic knows: `{path}` stands for it."""
    return PydanticCustomError("choice", "{what}", {"what": what, "hint": hint})


def find_choice(field: FieldInfo) -> Choice | None:
    """Return the choice that a field makes, if it makes one."""
    return next((one for one in field.metadata if isinstance(one, Choice)), None)


@dataclass(frozen=True)
class Flag:
    """Annotates a field that is a flag of `ensue train`, and a keyword of `ensue.train`.

    Its docstring is the help of the flag. The command line reads the flags.json of
    the verb, made by docs/make_settings.py, since most settings classes load torch.
    """

    name: str = ""
    """Name of the flag; by default that of the field."""
    path: bool = False
    """Whether its value is a path."""


@dataclass(frozen=True)
class FlagField:
    """A flag of `ensue train VERB`, and the fields that it sets."""

    field: FieldInfo
    path: bool
    keys: tuple[str, ...]
    """Dotted keys: several where parts that are chosen, or used twice, have the same setting."""


@cache
def find_flags(kind: type[Settings]) -> Mapping[str, FlagField]:
    """Find all fields of settings that are flags, by the name of the flag."""
    found: dict[str, FlagField] = {}

    def add(flag: str, one: FlagField) -> None:
        first = found.get(flag, one)
        found[flag] = replace(first, keys=tuple(dict.fromkeys((*first.keys, *one.keys))))

    for name, field in kind.model_fields.items():
        choice = find_choice(field)
        parts = choice.catalogue.values() if choice else [field.annotation]
        for flag in (one for one in field.metadata if isinstance(one, Flag)):
            key = f"{name}.name" if choice else name
            add(flag.name or name, FlagField(field, flag.path, (key,)))
        for part in parts:
            if isinstance(part, type) and issubclass(part, Settings):
                for flag, one in find_flags(part).items():
                    add(flag, replace(one, keys=tuple(f"{name}.{key}" for key in one.keys)))
    return found


def read(kind: type[S], values: Mapping[str, Any], where: str | None = None) -> S:
    """Build settings from plain values, as in TOML. Raises UserError on the first wrong value."""
    return _read(kind, values, where, trusted=False)


def read_trusted(kind: type[S], values: Mapping[str, Any], where: str | None = None) -> S:
    """Build settings from user input, which may name a Python file: the file is then executed."""
    return _read(kind, values, where, trusted=True)


def read_arguments(kind: type[S], values: Mapping[str, Any], where: str | None = None) -> S:
    """Build settings from arguments of a Python method, where a text is no number.

    Raises SettingError for a wrong one, with the method as its place.
    """
    return _read(kind, {key: to_python(value) for key, value in values.items()}, where, True, True)


def to_python(value: Any) -> Any:
    """Return a number of NumPy as one of Python, and anything else as it is."""
    return value.item() if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0 else value


def read_stored(kind: type[S], values: Any, where: str) -> S:
    """Build settings from the values stored in a run. Raises RunError."""
    if not isinstance(values, Mapping):
        raise RunError("it holds no settings", where=where, hint=HINT)
    try:
        return read(kind, values, where)
    except UserError as error:
        raise RunError(error.what, where=error.where, hint=HINT) from None


def is_trusted(field: ValidationInfo) -> bool:
    """Return whether a setting is input of this session's user, or built in Python."""
    return field.context is None or bool(field.context["trusted"])


def _read(
    kind: type[S],
    values: Mapping[str, Any],
    where: str | None,
    trusted: bool,
    strict: bool | None = None,
) -> S:
    try:
        return kind.model_validate(dict(values), context={"trusted": trusted}, strict=strict)
    except ValidationError as error:
        raise setting_error(error.errors(), kind, where) from None
    except UserError as error:
        if where is not None and isinstance(error, SettingError) and error.untrusted_file:
            # The key of the file is known only here, where all settings are at hand.
            error = untrusted_file_error(error.untrusted_file, values, where)
        raise (error if where is None else error.at(where)) from None


def setting_error(
    details: Sequence[ErrorDetails], kind: type[Settings] | None = None, where: str | None = None
) -> SettingError:
    """Build the error for the first wrong setting among the errors of pydantic."""
    first = details[0]
    path, within = _find_setting(first, kind)
    if first["type"] == "choice":
        text = first["ctx"]
        return SettingError(text["what"].replace("{path}", path, 1), where=where, hint=text["hint"])
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(str(first["loc"][-1]), getattr(within, "model_fields", ()))
        return SettingError(f"there is no setting {path!r}", where=where, hint=hint)
    # A union has an error for each of its types.
    own = [one["msg"].lower() for one in details if one["input"] is first["input"]]
    reasons = dict.fromkeys(one.removeprefix("input should be ").split(", un")[0] for one in own)
    should = "input should be " * own[0].startswith("input should be ")
    reason = f"{should}{' or '.join(reasons)}"
    return SettingError(f"{path!r} cannot be {first['input']!r:.60}: {reason}", where=where)


def _find_setting(detail: ErrorDetails, kind: Any) -> tuple[str, Any]:
    """Return the dotted key of a wrong setting, and the settings class that it lies in.

    The rest of pydantic's path, an index or the types of a union ("order", "constrained-int"), is
    nothing that a user writes.
    """
    path: list[str] = []
    for step in map(str, detail["loc"]):
        if isinstance(kind, Choice):  # the step is the tag of its union
            kind = kind.catalogue.get(step)
            continue
        fields = getattr(kind, "model_fields", {})
        if path and step not in fields:
            break
        path.append(step)
        kind = find_choice(fields[step]) or fields[step].annotation if step in fields else kind
    unknown = [str(detail["loc"][-1])] if detail["type"] == "extra_forbidden" else []
    return ".".join(path if path[-1:] == unknown else path + unknown), kind


def to_plain(settings: Settings) -> dict[str, Any]:
    """Return every setting that is not None as plain values for TOML, defaults included."""
    return settings.model_dump(mode="json", exclude_none=True)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over nested plain values as dotted keys: ("body.width", 512)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def assign(settings: S, assignment: str) -> S:
    """Change one setting, written `key=value`; a key may be shortened to its unambiguous end.

    The key of a component, `model.body=bag-of-context`, selects another one with its defaults; its
    name, `schedule.name=plateau`, keeps the settings that both have. A list setting accepts a
    single value. Raises SettingError if the key is unknown or ambiguous, or
    the value does not fit.
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
        full_key = _resolve_key(key.strip(), single + choices)
    except SettingError as error:
        try:  # A setting that another part would have: the choice of the part says so.
            full_key = _resolve_key(key.strip(), list(dict.fromkeys(_possible_keys(settings))))
        except SettingError:
            raise error.at("--set") from None
    return _replace(settings, full_key, _parse(text.strip()), f"--set {assignment:.{TYPED}}")


def set_flag(settings: S, name: str, value: Any) -> S:
    """Set the fields of a flag of `ensue train`.

    Raises SettingError, which names the flag, if the value does not fit, or the chosen parts have
    no such setting.
    """
    known, where = find_flags(type(settings)), f"--{name.replace('_', '-')}"
    if name not in known:
        hint = did_you_mean(name, known)
        raise SettingError("there is no such flag here", where=where, hint=hint)
    keys = known[name].keys
    there = dict(flatten(settings.model_dump(mode="json")))
    for key in (found := [key for key in keys if key in there]):
        settings = _replace(settings, key, value, where)
    if not found:
        parent, _, last = keys[0].rpartition(".")
        what = f"{parent} {there[f'{parent}.name']!r} has no {last!r}"
        raise SettingError(what, where=where, hint="leave it out")
    return settings


def _replace(settings: S, key: str, value: Any, where: str) -> S:
    values = settings.model_dump(mode="json")
    *path, last = key.split(".")
    part: Any = values
    for step in path:
        part = part[step]
    if last == "name" and value != part.get(last):
        _drop_defaults(settings, path, part)
    single = isinstance(part.get(last), list) and not isinstance(value, list | tuple)
    part[last] = [value] if single else value
    try:
        return read_trusted(type(settings), values, where=where)
    except SettingError as error:
        raise error.at(where) from None


def _drop_defaults(settings: Settings, path: Sequence[str], part: dict[str, Any]) -> None:
    """Leave out the defaults of the part at `path`, where another one is chosen by its name."""
    holder: Any = settings
    for step in path:
        holder = getattr(holder, step)
    for name, field in type(holder).model_fields.items():
        if name in part and getattr(holder, name) == field.default:
            del part[name]


def _possible_keys(settings: Settings, prefix: str = "") -> Iterator[str]:
    """Yield the keys that the settings would have, if each choice were another one."""
    for name, field in type(settings).model_fields.items():
        value, choice = getattr(settings, name), find_choice(field)
        for kind in choice.catalogue.values() if choice else ():
            yield from (f"{prefix}{name}.{key}" for key in kind.model_fields)
        if isinstance(value, Settings):
            yield from _possible_keys(value, f"{prefix}{name}.")


def _resolve_key(key: str, known: list[str]) -> str:
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
    """Parse a value as TOML, and as a bare string if that fails."""
    try:
        return parse_toml(f"value = {text}".encode())["value"]
    except ValueError:
        return text


def parse_toml(data: bytes) -> dict[str, Any]:
    r"""Parse TOML. Raises ValueError with the reason.

    >>> parse_toml(b"seed = 1\nrate = " + b"9" * 5000)
    Traceback (most recent call last):
    ValueError: line 2 has a number of thousands of digits
    >>> parse_toml(b"seed = 0x" + b"f" * 5000)
    Traceback (most recent call last):
    ValueError: line 1 has a number of thousands of digits
    """
    text = data.decode()
    # Python reads such a hexadecimal number, and fails only where a message shows it.
    long = LONG_HEXADECIMAL.search(text)
    try:
        if long is None:
            return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        long = None if isinstance(error, tomllib.TOMLDecodeError) else LONG_NUMBER.search(text)
        if long is None:
            raise
    line = text.count("\n", 0, long.start()) + 1
    raise ValueError(f"line {line} has a number of thousands of digits")


def visit_fields(kind: type[Settings], visit: Callable[[str, Any], None], prefix: str = "") -> None:
    """Call `visit` with the dotted name and pydantic's FieldInfo of each field."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings) and inner is not Settings:
            visit_fields(inner, visit, f"{prefix}{name}.")
        else:
            visit(f"{prefix}{name}", field)


def to_finite(value: Any) -> Any:
    """Replace non-finite numbers by None, since JSON has no others."""
    if isinstance(value, Mapping):
        return {key: to_finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value
