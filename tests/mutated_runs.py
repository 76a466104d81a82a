"""Runs as somebody makes them who means harm: what stands in their files is another, and every
sum fits it."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from safetensors.torch import load, save

from ensue.training.folder.arrays import pack_tensors

CHECKPOINT, CACHE = "checkpoint/last.safetensors", "cache/sums.json"
WHOLE = [
    0,
    1,
    -1,
    2,
    3,
    7,
    100,
    -(2**31),
    2**31,
    2**40,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**70,
    10**400,
]
ODD: list[Any] = [
    *WHOLE,
    *(
        0.0,
        -0.5,
        0.5,
        1.5,
        1e-300,
        1e300,
        float("nan"),
        float("inf"),
        -float("inf"),
        True,
        False,
        None,
    ),
    *("", "a", "\0", "\ud800", "é", "x" * 5000, "../x", "/dev/zero", "evil.py", "lstm", "1", "nan"),
    *([], {}, [[]], [1, 2], ["a", "a"], {"a": 1}, {"name": "lstm"}, [None], [1.5, "a"]),
]


def deep(levels: int = 3000) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the way to every value in plain values, those in long lists by examples."""
    found = [path]
    if isinstance(value, dict):
        for key, one in value.items():
            found += places(one, (*path, key))
    elif isinstance(value, list):
        for index in (
            range(len(value)) if len(value) < 9 else (0, 1, len(value) // 2, len(value) - 1)
        ):
            found += places(value[index], (*path, index))
    return found


def another(value: Any, dice: random.Random) -> Any:
    """Give another value in the place of one: of its kind, or of none."""
    way = dice.random()
    if isinstance(value, bool) or value is None or way < 0.35:
        return dice.choice(ODD)
    if isinstance(value, int):
        return dice.choice([*WHOLE, value + 1, value - 1, value * 2, -value, float(value)])
    if isinstance(value, float):
        return dice.choice(
            [
                0.0,
                -value,
                value * 1e30,
                value * 1e-30,
                1e308,
                float("nan"),
                float("inf"),
                int(value == value),
            ]
        )
    if isinstance(value, str):
        return dice.choice(
            [
                value + value,
                value[:-1],
                value.upper(),
                value[::-1],
                value + "\0",
                value + "\n",
                "",
                " ",
            ]
        )
    if isinstance(value, list) and value:
        at = dice.randrange(len(value))
        short, twice = [*value[:at], *value[at + 1 :]], [*value[: at + 1], *value[at:]]
        return dice.choice(
            [
                short,
                twice,
                value[:at],
                value * 3,
                value[::-1],
                dict(enumerate(map(str, value))),
                [value],
            ]
        )
    if isinstance(value, dict) and value:
        names = list(value)
        one, other = dice.choice(names), dice.choice(names)
        less = {name: value[name] for name in names if name != one}
        return dice.choice(
            [
                less,
                {**value, one: value[other]},
                {**value, "odd": dice.choice(ODD)},
                {**less, one + "x": value[one]},
            ]
        )
    return dice.choice(ODD)


def changed(value: Any, dice: random.Random) -> Any:
    """Give plain values with one of them changed, or taken away."""
    way = dice.choice(places(value))
    if not way:
        return another(value, dice)
    whole = json.loads(json.dumps(value))
    inner = whole
    for key in way[:-1]:
        inner = inner[key]
    if dice.random() < 0.1:
        del inner[way[-1]]
    else:
        inner[way[-1]] = deep() if dice.random() < 0.02 else another(inner[way[-1]], dice)
    return whole


KINDS = [
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.float16,
    np.float32,
    np.float64,
    np.bool_,
]


def other_array(array: np.ndarray, dice: random.Random) -> np.ndarray:
    """Give an array of other numbers, another shape, or another type."""
    found, way = np.array(array), dice.randrange(9)
    with np.errstate(all="ignore"):
        if way < 3 and found.size:
            limits = np.iinfo(found.dtype) if found.dtype.kind in "iu" else None
            odd = (
                [limits.min, limits.max, 0, 1, len(found.reshape(-1))]
                if limits
                else [0, -1, 1e30, -1e30, np.nan, np.inf]
            )
            flat = found.reshape(-1)
            begin = dice.randrange(found.size)
            end = dice.choice([begin + 1, begin + 1, found.size])
            flat[begin:end] = np.asarray(dice.choice(odd)).astype(found.dtype)
        elif way == 3 and found.size:
            found = (
                found.reshape(-1)[:: dice.choice([-1, 2])].copy()
                if found.ndim < 2
                else found[::-1].copy()
            )
        elif way == 4:
            found = found[: len(found) // 2] if found.ndim else found[None]
        elif way == 5:
            found = np.concatenate([found, found]) if found.ndim else found[None, None]
        elif way == 6:
            found = found.astype(dice.choice(KINDS))
        elif way == 7:
            found = found.reshape(dice.choice([(-1,), (1, *found.shape), (*found.shape, 1)]))
        else:
            found = np.zeros(dice.choice([(), (0,), (0, 3), (1,), (3, 0)]), found.dtype)
    return found


def npy(array: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def of_json(data: bytes, dice: random.Random) -> bytes:
    return dumped(changed(json.loads(data), dice))


def dumped(value: Any) -> bytes:
    """Write even what is nested deeply, and numbers of hundreds of digits."""
    sys.set_int_max_str_digits(0)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return json.dumps(value).encode()
    finally:
        sys.setrecursionlimit(limit)
        sys.set_int_max_str_digits(4300)


def of_lines(data: bytes, dice: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = dice.randrange(len(lines)) if lines else 0
    lines[at : at + 1] = [of_json(lines[at], dice) + b"\n"] if lines else [b"{}\n"]
    return b"".join(lines)


def of_toml(data: bytes, dice: random.Random) -> bytes:
    whole = tomllib.loads(data.decode())
    for _ in range(50):
        try:
            table = changed(whole, dice)
            text = tomli_w.dumps(table).encode()
            tomllib.loads(text.decode())
        except (TypeError, ValueError, AttributeError, RecursionError):  # TOML has no such value
            continue
        return text
    return data


def of_npy(data: bytes, dice: random.Random) -> bytes:
    return npy(other_array(np.load(BytesIO(data)), dice))


def of_tensors(data: bytes, dice: random.Random) -> bytes:
    """Change a file of arrays; where it is a checkpoint, its note too, and its sum."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    note, tensors = header.get("__metadata__", {}).get("note"), load(data)
    if note is not None and (dice.random() < 0.5 or not tensors):
        note = dumped(changed(json.loads(note), dice)).decode()
    elif not tensors:  # a forecast by the last value has no parameters
        tensors["x"] = torch.zeros(3)
    else:
        name, way = dice.choice(sorted(tensors)), dice.randrange(8)
        if way == 0:
            del tensors[name]
        elif way == 1:
            tensors[name + "x"] = tensors[name].clone()
        elif way == 2:
            tensors[name] = tensors[dice.choice(sorted(tensors))].clone()
        else:
            tensors[name] = torch.from_numpy(
                np.ascontiguousarray(
                    other_array(
                        tensors[name].float().numpy()
                        if tensors[name].dtype == torch.bfloat16
                        else tensors[name].numpy(),
                        dice,
                    )
                )
            )
    if note is None:
        return save(tensors)
    # New memory: a number that was repeated has a stride of 0, which has no bytes to sum.
    return pack_tensors(
        {name: torch.from_numpy(one.numpy().copy()) for name, one in tensors.items()}, note
    )


CHANGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": of_json,
    ".jsonl": of_lines,
    ".toml": of_toml,
    ".npy": of_npy,
    ".safetensors": of_tensors,
}


def signed(run: Path) -> None:
    """Make every sum in a run fit: those of the cache, of the logs, and of the files that the
    manifest knows."""
    sums = run / CACHE
    if sums.exists():
        known = {name: sha(sums.parent / name) for name in json.loads(sums.read_text())["sha256"]}
        sums.write_text(json.dumps({"sha256": known}))
    path = run / CHECKPOINT
    if path.exists():
        with suppress(
            ValueError, AttributeError, TypeError, KeyError, RecursionError
        ):  # it is no table any more
            sign_logs(run, path)
    manifest = run / "manifest.json"
    values = json.loads(manifest.read_text())
    values["sha256"] = {
        name: [sha(run / name)] for name in values["sha256"] if (run / name).exists()
    }
    manifest.write_text(json.dumps(values))


def sign_logs(run: Path, path: Path) -> None:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    note = json.loads(header["__metadata__"]["note"])
    for name in note["sizes"]:
        if (run / name).is_file() and "/" not in name:
            size = (run / name).stat().st_size
            note["sizes"][name] = size
            if size:
                note["sums"][name] = sha(run / name)
    path.write_bytes(pack_tensors(load(data), json.dumps(note)))


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mutate(run: Path, dice: random.Random) -> list[str]:
    """Change one file of a run, or a few, so that every sum fits; say which."""
    names = sorted(
        name
        for path in run.rglob("*")
        if path.is_file()
        and path.suffix in CHANGE
        and (name := str(path.relative_to(run))) not in (CACHE, "manifest.json")
    )
    # Small files of settings say most of what is done with the others.
    weights = [3 if name.endswith((".toml", ".json", ".safetensors")) else 1 for name in names]
    chosen = list(dict.fromkeys(dice.choices(names, weights, k=dice.choice([1, 1, 1, 2]))))
    for name in chosen:
        path = run / name
        path.write_bytes(CHANGE[path.suffix](path.read_bytes(), dice))
    if not (len(chosen) == 1 and chosen[0].startswith("checkpoint") and dice.random() < 0.5):
        signed(run)
    return chosen
