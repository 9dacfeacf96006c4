"""Turning words into values for the few types our commands use.

Typer 0.29 builds a pydantic adapter for every parameter of a command line, 150 ms before anything
has happened. Text, numbers, enums and lists of text need none; for any other type, and in a Typer
that does this differently, Typer's own way stays in place.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, get_origin

import typer


class Plain:
    """What Typer calls a runtime parameter: `coerce` is all it is asked for."""

    def __init__(self, convert: Callable[[str], Any], expected: str, lowest: float | None) -> None:
        self._convert = convert
        self._expected = expected
        self._lowest = lowest

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of a parameter, or `BadParameter`."""
        if param.multiple or param.nargs == -1:
            return tuple(self._one(each, param, ctx) for each in value or ())
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            converted = self._convert(value)
        except ValueError as error:
            message = f"{value!r} is not {self._expected}"
            raise typer.BadParameter(message, ctx=ctx, param=param) from error
        if self._lowest is not None and converted < self._lowest:
            message = f"{value} is less than {self._lowest:g}"
            raise typer.BadParameter(message, ctx=ctx, param=param)
        return converted


def speed_up(param: Any) -> None:
    """Gives a parameter of a simple type its plain coercion."""
    annotation = param.type_descriptor.annotation
    if get_origin(annotation) is list:
        annotation = annotation.__args__[0]
    lowest = param.type_descriptor.parameter_info.min
    if annotation in (str, int, float, bool):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        param._runtime_param = Plain(annotation, names[annotation], lowest)  # noqa: SLF001
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        choices = ", ".join(str(each.value) for each in annotation)
        param._runtime_param = Plain(annotation, f"one of {choices}", None)  # noqa: SLF001
