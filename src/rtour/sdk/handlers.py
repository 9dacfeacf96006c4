"""A handler: the user's function, its name, its types, its options.

A decorated handler stays callable as it was. Its record hangs on the wrapper that the decorator
returns, so that the function is the typed address of calls: `ctx.service_call(greet, "Ada")`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast

from rtour.sdk import serde as serdes
from rtour.sdk.options import Options
from rtour.sdk.serde import DefaultSerde, Serde

F = TypeVar("F", bound=Callable[..., Any])
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output

HandlerType = Callable[[Any, I], Awaitable[O]] | Callable[[Any], Awaitable[O]]
ContextManagers = Sequence[Callable[[], AbstractAsyncContextManager[Any]]]
ServiceKind = Literal["service", "object", "workflow"]
HandlerKind = Literal["exclusive", "shared", "workflow"]

_ATTRIBUTE: Final = "__rtour_handler__"
_JSON: Final = "application/json"
_ANY: Final = "*/*"
_BINARY: Final = "application/octet-stream"
_SERVICE_TYPES: Final = {
    "service": "SERVICE",
    "object": "VIRTUAL_OBJECT",
    "workflow": "WORKFLOW",
}


@dataclass(frozen=True)
class ServiceTag:
    """What kind of service it is and what it is called."""

    kind: ServiceKind
    name: str
    description: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def manifest_type(self) -> str:
        return _SERVICE_TYPES[self.kind]


@dataclass(frozen=True)
class HandlerIO:
    """How the input comes in and the output goes out; hints are None where not annotated."""

    accept: str
    content_type: str
    input_serde: Serde[Any]
    output_serde: Serde[Any]
    input_hint: Any = None
    output_hint: Any = None
    takes_input: bool = False
    returns_nothing: bool = False
    custom_input: bool = False
    custom_output: bool = False

    def input_manifest(self) -> dict[str, Any]:
        if not self.takes_input:
            return {}
        manifest: dict[str, Any] = {"required": False, "contentType": self.accept}
        if self.accept == _JSON and not self.custom_input:
            manifest["jsonSchema"] = _schema(self.input_hint, of_input=True)
        return manifest

    def output_manifest(self) -> dict[str, Any]:
        if self.returns_nothing:
            return {"setContentTypeIfEmpty": False}
        manifest: dict[str, Any] = {
            "contentType": self.content_type,
            "setContentTypeIfEmpty": False,
        }
        if self.content_type == _JSON and not self.custom_output:
            manifest["jsonSchema"] = _schema(self.output_hint, of_input=False)
        return manifest


def _schema(hint: Any, *, of_input: bool) -> Any:
    return True if hint is None else serdes.json_schema(hint, of_input=of_input)


@dataclass(frozen=True)
class Handler:
    """One handler of one service."""

    service_tag: ServiceTag
    name: str
    kind: HandlerKind | None
    fn: Callable[..., Any]
    io: HandlerIO
    options: Options
    context_managers: ContextManagers = ()

    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = {"name": self.name}
        if self.kind is not None:
            manifest["ty"] = self.kind.upper()
        return manifest | {
            "input": self.io.input_manifest(),
            "output": self.io.output_manifest(),
            **self.options.manifest(),
        }


def handler_from_callable(function: Callable[..., Any]) -> Handler:
    """The record of a decorated handler."""
    handler = getattr(function, _ATTRIBUTE, None)
    if not isinstance(handler, Handler):
        name = getattr(function, "__qualname__", repr(function))
        raise ValueError(  # noqa: TRY004 - the official SDK raises ValueError
            f"{name} is no handler: pass a function decorated with `@service.handler()`, "
            "or use `generic_call` and `generic_send`."
        )
    return handler


def attach(function: F, handler: Handler) -> F:
    """A plain wrapper that carries the record and forwards calls."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    setattr(wrapper, _ATTRIBUTE, handler)
    return cast("F", wrapper)


# --- signatures ----------------------------------------------------------------------------------


def make_io(
    function: Callable[..., Any],
    accept: str | None,
    content_type: str | None,
    input_serde: Serde[Any] | None,
    output_serde: Serde[Any] | None,
) -> HandlerIO:
    """What the function's signature says about its input and output."""
    signature = _signature(function)
    parameters = list(signature.parameters.values())
    takes_input = len(parameters) == 2
    input_hint = _hint(parameters[1].annotation) if takes_input else None
    returned = signature.return_annotation
    output_hint = _hint(returned)
    return HandlerIO(
        accept=accept or (_ANY if input_hint is bytes else _JSON),
        content_type=content_type or (_BINARY if output_hint is bytes else _JSON),
        input_serde=serdes.resolve(input_serde, input_hint),
        output_serde=serdes.resolve(output_serde, output_hint),
        input_hint=input_hint,
        output_hint=output_hint,
        takes_input=takes_input,
        returns_nothing=returned is inspect.Signature.empty or returned is None,
        custom_input=_is_custom(input_serde),
        custom_output=_is_custom(output_serde),
    )


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    name = getattr(function, "__qualname__", repr(function))
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise ValueError(
            f"The annotations of handler {name} cannot be resolved ({error}): import the types it "
            "names at run time, not under `if TYPE_CHECKING:`."
        ) from error
    count = len(signature.parameters)
    if not 1 <= count <= 2:
        raise ValueError(
            f"Handler {name} takes {count} parameters: it must take a context and, optionally, "
            "one input, as in `async def greet(ctx: Context, name: str)`."
        )
    return signature


def _hint(annotation: Any) -> Any:
    return None if annotation is inspect.Signature.empty else annotation


def _is_custom(serde: Serde[Any] | None) -> bool:
    return serde is not None and not isinstance(serde, DefaultSerde)
