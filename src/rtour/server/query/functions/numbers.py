"""Functions of numbers, and those that choose among values."""

from __future__ import annotations

import math
import random
from typing import Any

from rtour.server.query.dialect.calls import (
    Function,
    number_like_first,
    same_as_all,
    same_as_first,
    strict,
)

_U64 = 2**64


def _float(function: Any, least: int = 1, most: int = 1) -> Function:
    return Function("f64", strict(function), least=least, most=most)


def _round(value: float, digits: int = 0) -> float:
    if isinstance(value, int) and digits >= 0:
        return value
    factor = 10**digits
    return math.copysign(math.floor(abs(value) * factor + 0.5) / factor, value)


def _whole(function: Any) -> Function:
    """A rounding that leaves integers alone."""
    return Function(
        number_like_first,
        strict(lambda value: value if isinstance(value, int) else float(function(value))),
        least=1,
        most=1,
    )


def divide(left: float, right: float) -> float:
    """Integers divide to integers; by zero there is no answer."""
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise ValueError("Divide by zero error")
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def modulo(left: float, right: float) -> float:
    if right == 0:
        raise ValueError("Divide by zero error")
    rest = math.fmod(left, right)
    return int(rest) if isinstance(left, int) and isinstance(right, int) else rest


def _largest(*values: Any) -> Any:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _smallest(*values: Any) -> Any:
    known = [value for value in values if value is not None]
    return min(known) if known else None


def to_integer(value: Any) -> int:
    """Strict: what is no number is refused."""
    if isinstance(value, str):
        try:
            number = int(value.strip())
        except ValueError:
            raise ValueError(f"Cannot cast string '{value}' to value of Int64 type") from None
        return number - _U64 if number >= _U64 // 2 else number
    return int(value)


def to_float(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"Cannot cast string '{value}' to value of Float64 type") from None


def to_bool(value: Any) -> bool:
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in {"true", "t", "yes", "y", "1", "on"}:
            return True
        if lowered in {"false", "f", "no", "n", "0", "off"}:
            return False
        raise ValueError(f"Cannot cast string '{value}' to value of Boolean type")
    return bool(value)


def _or_null(function: Any) -> Any:
    def call(value: Any) -> Any:
        try:
            return None if value is None else function(value)
        except ValueError:
            return None

    return call


def unsigned_text(value: int) -> str:
    """A u64 from the signed integer with its bits."""
    return str(value + _U64 if value < 0 else value)


def float_text(value: float) -> str:
    return repr(float(value))


FUNCTIONS: dict[str, Function] = {
    "abs": Function(same_as_first, native="abs", least=1, most=1),
    "round": Function(number_like_first, strict(_round), least=1, most=2),
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "trunc": _whole(math.trunc),
    "sqrt": _float(math.sqrt),
    "exp": _float(math.exp),
    "ln": _float(math.log),
    "log": _float(
        lambda base, value=None: math.log10(base) if value is None else math.log(value, base), 1, 2
    ),
    "log2": _float(math.log2),
    "log10": _float(math.log10),
    "power": Function("f64", strict(math.pow), least=2, most=2),
    "pow": Function("f64", strict(math.pow), least=2, most=2),
    "signum": _float(lambda value: (value > 0) - (value < 0)),
    "pi": Function("f64", lambda: math.pi, most=0),
    "divide": Function(number_like_first, strict(divide), least=2, most=2),
    "modulo": Function(number_like_first, strict(modulo), least=2, most=2),
    "greatest": Function(same_as_all, _largest, least=1),
    "least": Function(same_as_all, _smallest, least=1),
    "coalesce": Function(same_as_all, native="coalesce", least=1),
    "nvl": Function(same_as_all, native="ifnull", least=2, most=2),
    "ifnull": Function(same_as_all, native="ifnull", least=2, most=2),
    "nullif": Function(same_as_first, native="nullif", least=2, most=2),
    "random": Function("f64", random.random, most=0, pure=False),
    "to_integer": Function("i64", strict(to_integer), least=1, most=1),
    "to_float": Function("f64", strict(to_float), least=1, most=1),
    "to_bool": Function("bool", strict(to_bool), least=1, most=1),
    "try_integer": Function("i64", _or_null(to_integer), least=1, most=1),
    "try_float": Function("f64", _or_null(to_float), least=1, most=1),
    "try_bool": Function("bool", _or_null(to_bool), least=1, most=1),
    "unsigned_text": Function("text", strict(unsigned_text), least=1, most=1),
    "float_text": Function("text", strict(float_text), least=1, most=1),
}
