"""Files of each part of the data: given by --valid and --test, or named train, valid and test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path
from typing import Annotated, Literal

from ensue.data.contract import Listener
from ensue.data.files import find_files
from ensue.errors import DataError
from ensue.settings import Flag, Settings

PART_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Names that published data sets give to the parts, and the part of each."""


class PartFiles(Settings):
    """Files that are parts of the data by themselves."""

    split: Literal["auto", "drawn"] = "auto"
    """Parts by the names of files and folders (auto), or drawn from all files together (drawn).

    The names are train, valid (or dev) and test.
    """
    valid_file: Annotated[str, Flag("valid", path=True)] = ""
    """Validation file, in place of the share `validation`; a series continues the data."""
    test_file: Annotated[str, Flag("test", path=True)] = ""
    """Test file, in place of the share `test`; a series continues the validation part."""


def get_part_files(
    name: str, paths: Sequence[Path], settings: PartFiles, listener: Listener, label_file: str = ""
) -> dict[str, list[Path]]:
    """Find the files of the part `name`, and those of "validation" and "test" that have their own.

    Parts are given by the settings or by file name. A file that is given for a part belongs to that
    part alone, even in a folder of the data. `label_file`, a table of labels, belongs to no part.
    Raises DataError for a file that is given twice.
    """
    held_out = {"validation": settings.valid_file, "test": settings.test_file}
    data = {name: paths} | {part: [Path(file)] for part, file in held_out.items() if file}
    files = {part: find_files(own, listener) for part, own in data.items()}
    files = {part: exclude_file(own, label_file) for part, own in files.items()}
    elsewhere = {path.resolve() for part, own in files.items() if part != name for path in own}
    named = {path.resolve() for path in paths if not path.is_dir()}
    rest = [
        path for path in files[name] if path.resolve() in named or path.resolve() not in elsewhere
    ]
    files[name] = rest or files[name]
    given = Counter(path.resolve() for own in files.values() for path in own)
    if twice := [path for path, count in given.items() if count > 1]:
        what = "the file was given twice"
        raise DataError(what, where=str(twice[0]), hint="give each part files of its own")
    return take_named_parts(name, files, listener) if settings.split == "auto" else files


def exclude_file(files: Sequence[Path], label_file: str) -> list[Path]:
    """Return the files without the table of labels, if one is given.

    Raises DataError if no file is left.
    """
    rest = [
        path for path in files if not label_file or path.resolve() != Path(label_file).resolve()
    ]
    if not rest:
        hint = "name the files of the sequences as well"
        raise DataError("the table of labels is the only file", where=label_file, hint=hint)
    return rest


def get_part_from_name(name: str) -> str | None:
    """Return the part that a file or folder is named for, by its first or last word.

    >>> get_part_from_name("GunPoint_TRAIN.ts.gz"), get_part_from_name("dev-00000.csv")
    ('train', 'validation')
    """
    words = [word for word in re.split(r"[^a-z]+", name.partition(".")[0].lower()) if word]
    return next(
        (PART_NAMES[word] for word in (*words[:1], *words[-1:]) if word in PART_NAMES), None
    )


def group_by_part(files: Sequence[Path]) -> dict[str, list[Path]] | None:
    """Return the files of each part by the names of files and folders, "train" among them.

    Returns None if a file is not named for a part, or if all are named for the same one.
    """
    if len(files) < 2:
        return None
    above = Path(commonpath([path.parent for path in files]))
    parts: dict[str, list[Path]] = {}
    for path in files:
        folders = path.parent.relative_to(above).parts
        named = next(
            (PART_NAMES[name.lower()] for name in folders if name.lower() in PART_NAMES), None
        )
        parts.setdefault(named or get_part_from_name(path.name) or "", []).append(path)
    return parts if "" not in parts and "train" in parts and len(parts) > 1 else None


def take_named_parts(
    name: str, files: dict[str, list[Path]], listener: Listener
) -> dict[str, list[Path]]:
    """Move files that are named for validation or test out of the part `name`, and report it.

    If --valid or --test names a file, files named for the same part are left out of the data.
    """
    found = group_by_part(files[name])
    if found is None:
        _report_mixed(files[name], listener)
        return files
    above = commonpath([path.parent for path in files[name]])
    selected = dict(files) | {name: found.pop("train")}
    for part, own in found.items():
        if part in files:
            flag = {"validation": "--valid", "test": "--test"}[part]
            for path in own:
                listener.report(path, f"left out: {flag} names another file for this part")
        else:
            selected[part] = own
    named = ", ".join(
        f"{'train' if part == name else part} from {own[0].relative_to(above)}"
        + f" and {len(own) - 1:,} more" * (len(own) > 1)
        for part, own in selected.items()
        if own[0].is_relative_to(above)
    )
    hint = "read all files together, and draw the parts, with --set data.split=drawn"
    what = f"parts taken from the names of files and folders: {named}"
    # Files that continue the training series (`name` is "train") cannot be read together.
    listener.report(above or ".", what, None if name == "train" else hint)
    return selected


def get_scored_files(paths: Sequence[Path], settings: PartFiles, listener: Listener) -> list[Path]:
    """Find the files that a run is scored on: if files are named for parts, only the test part."""
    files = find_files(paths)
    named = group_by_part(files) if settings.split == "auto" else None
    if not named or "test" not in named:
        return files
    where = str(named["test"][0].parent)
    listener.report(where, "only the files of the test part are scored, by their names")
    return named["test"]


def _report_mixed(files: Sequence[Path], listener: Listener) -> None:
    """Report it if only some of the files are named for parts."""
    named = {part: path for path in files if (part := get_part_from_name(path.name))}
    if "train" not in named or len(named) < 2:
        return
    other = next((path for path in files if get_part_from_name(path.name) is None), None)
    if other is not None:
        first = named["train"]
        second = next(path for part, path in named.items() if part != "train")
        named_two = f"{first.name} and {second.name} are named for parts of the data"
        what = f"{named_two}, but {other.name} is not: all are read together"
        hint = "give one file, and others with --valid and --test"
        listener.report(other.parent, f"{what}, and the parts are drawn", hint)
