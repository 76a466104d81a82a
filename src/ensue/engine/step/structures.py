"""ctypes structures of native/cpp/ensue.h for step-by-step inference, field by field."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_int64, c_uint64, c_void_p


class Weights(ctypes.Structure):
    """A matrix and its packed copy."""

    _fields_ = (
        ("matrix", c_void_p),
        ("row_step", c_int64),
        ("panels", c_void_p),
        *((name, c_int32) for name in ("format", "gates", "units", "inner")),
    )


class Place(ctypes.Structure):
    """An address."""

    _fields_ = (("base", c_void_p), ("offset", c_int64), ("other", c_int64), ("where", c_int32))


class Lookup(ctypes.Structure):
    """A table indexed by each row's symbol."""

    _fields_ = (("table", c_void_p), ("width", c_int32), ("out", c_int32))


class Multiplication(ctypes.Structure):
    """A product with a weight matrix."""

    _fields_ = tuple((name, c_int32) for name in ("weights", "source", "add", "out"))


class Stage(ctypes.Structure):
    """Products, then instructions, on tiles of units."""

    _fields_ = tuple(
        (name, c_int32) for name in ("first_product", "last_product", "first", "last", "units")
    )


class Network(ctypes.Structure):
    """A complete tick."""

    _fields_ = (
        *(
            (name, c_void_p)
            for name in ("places", "instructions", "weights", "products", "stages", "lookups")
        ),
        *(
            (f"{name}_count", c_int32)
            for name in ("place", "product", "stage", "lookup", "register")
        ),
        ("scores", c_int32),
        ("size", c_int32),
        ("stride", c_int64),
        ("state", c_int64),
    )


class Rules(ctypes.Structure):
    """Sampling options."""

    _fields_ = (
        *((name, c_double) for name in ("temperature", "nucleus", "min_p", "typical", "penalty")),
        ("allowed", c_void_p),
        ("seed", c_uint64),
        *((name, c_int32) for name in ("top_k", "window", "end")),
    )


class Writing(ctypes.Structure):
    """A call to generate symbols: rows, options and output arrays."""

    _fields_ = (
        *((name, c_void_p) for name in ("memory", "symbols", "samples", "recent", "known")),
        *((name, c_void_p) for name in ("ids", "nats", "written", "log_probs", "probabilities")),
        *((name, c_int64) for name in ("first_step", "alone_until", "rest")),
        *((name, c_int32) for name in ("rows", "ticks", "threads")),
    )
