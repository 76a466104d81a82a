"""Expression algebra of cells: arithmetic and functions of one hidden unit, kept symbolic.

Nothing is computed here. The engine traces an expression into a program, differentiates it, and
runs it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TypeAlias

from ensue.errors import UserError


class Expr:
    """A symbolic expression: an operation `op` on expressions `args`, or a leaf with its `detail`.

    >>> a, b = Expr("state", detail="a"), Expr("state", detail="b")
    >>> 2 * a - tanh(b)
    ((2.0 * a) - tanh(b))
    """

    __slots__ = ("args", "detail", "line", "op")

    def __init__(
        self, op: str, args: tuple[Expr, ...] = (), detail: str | float | None = None
    ) -> None:
        self.op, self.args, self.detail = op, args, detail
        self.line = _line_outside()

    def __repr__(self) -> str:
        if not self.args:
            return str(self.detail)
        sign = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(self.op)
        parts = [repr(arg) for arg in self.args]
        if sign:
            return f"({parts[0]} {sign} {parts[1]})"
        bare = (part[1:-1] if part.startswith("(") else part for part in parts)
        return f"{self.op}({', '.join(bare)})"

    def __bool__(self) -> bool:
        what = "an equation cannot branch on a value"
        raise UserError(what, hint="use maximum, minimum or relu instead of if")

    def __add__(self, other: Scalar) -> Expr:
        return _apply("add", self, other)

    def __radd__(self, other: Scalar) -> Expr:
        return _apply("add", other, self)

    def __sub__(self, other: Scalar) -> Expr:
        return _apply("subtract", self, other)

    def __rsub__(self, other: Scalar) -> Expr:
        return _apply("subtract", other, self)

    def __mul__(self, other: Scalar) -> Expr:
        return _apply("multiply", self, other)

    def __rmul__(self, other: Scalar) -> Expr:
        return _apply("multiply", other, self)

    def __truediv__(self, other: Scalar) -> Expr:
        return _apply("divide", self, other)

    def __rtruediv__(self, other: Scalar) -> Expr:
        return _apply("divide", other, self)

    def __neg__(self) -> Expr:
        return _apply("negate", self)

    def __pow__(self, power: int) -> Expr:
        if power not in (2, 3):
            raise UserError(f"unsupported power {power!r}", hint="use ** 2 or ** 3, or exp and log")
        square = _apply("square", self)
        return square if power == 2 else square * self


Scalar: TypeAlias = "Expr | float"


class Gate(Expr):
    """The preactivation W x + U h + b of a gate; `x` and `h` are its two products."""

    __slots__ = ("h", "x")

    def __init__(self, name: str) -> None:
        super().__init__("gate", detail=name)
        self.x = Expr("gate.x", detail=name)
        self.h = Expr("gate.h", detail=name)


def _line_outside() -> tuple[str, int]:
    """Return file and line of the caller outside this module, for later error messages."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


LARGEST = 3.4028234e38
"""The largest finite float32."""


def constant(value: float) -> Expr:
    """Make a constant. Raises UserError if it is not finite in float32.

    >>> constant(0.5)
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{value!r} is neither a number nor an expression")
    if not abs(value) <= LARGEST:
        what = f"the number {value:.9g} is not finite{' in 32 bits' * math.isfinite(value)}"
        raise UserError(what)
    return Expr("constant", detail=float(value))


def lift(value: Scalar) -> Expr:
    """Convert a number to a constant; expressions stay as they are."""
    return value if isinstance(value, Expr) else constant(value)


def _apply(op: str, *args: Scalar) -> Expr:
    return Expr(op, tuple(lift(arg) for arg in args))


def _function(op: str, meaning: str) -> Callable[[Scalar], Expr]:
    def write(value: Scalar) -> Expr:
        return _apply(op, value)

    write.__name__, write.__doc__ = op, f"Return {meaning}."
    return write


sigmoid = _function("sigmoid", "the logistic function 1 / (1 + exp(-value))")
tanh = _function("tanh", "the hyperbolic tangent")
relu = _function("relu", "the larger of the value and zero")
exp = _function("exp", "the exponential")
log = _function("log", "the natural logarithm")
sqrt = _function("sqrt", "the square root")
softplus = _function("softplus", "log(1 + exp(value))")
absolute = _function("absolute", "the absolute value")
normalise = _function(
    "normalise",
    (
        "the layer-normalised value: (value - mean) / deviation over units (Ba et al. 2016, no "
        "gain and shift)"
    ),
)


def maximum(first: Scalar, second: Scalar) -> Expr:
    """Return the larger of two values."""
    return _apply("maximum", first, second)


def minimum(first: Scalar, second: Scalar) -> Expr:
    """Return the smaller of two values."""
    return -maximum(-lift(first), -lift(second))


FUNCTIONS: dict[str, Callable[..., Expr]] = {
    function.__name__: function
    for function in (
        sigmoid,
        tanh,
        relu,
        exp,
        log,
        sqrt,
        softplus,
        absolute,
        normalise,
        maximum,
        minimum,
    )
}
"""All functions that an equation may use, by name."""
