"""`Service`, `VirtualObject`, `Workflow`: names for handlers, and what they are to the server.

A service's handlers run concurrently. A virtual object has a key; its exclusive handlers run one
at a time per key and may write state. A workflow runs its `main` once per key; its other handlers
run beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeVar, Unpack

from rtour.sdk import handlers as h
from rtour.sdk.handlers import Handler, HandlerKind, ServiceKind, ServiceTag
from rtour.sdk.serde import Serde
from rtour.sdk.service_options import KeyedOptions, MainOptions, PlainOptions, read

F = TypeVar("F", bound=Callable[..., Any])
_Payloads = tuple[str | None, str | None, Serde[Any] | None, Serde[Any] | None]
"""Content types and serdes, of the input and of the output."""


class _ServiceBase:
    """What the three kinds share: a tag, options, and handlers by name."""

    _KIND: ClassVar[ServiceKind]
    _OPTIONS: ClassVar[type]

    def __init__(
        self, name: str, description: str | None, given: PlainOptions | KeyedOptions
    ) -> None:
        self.options, self.context_managers = read(given, self._OPTIONS, description)
        metadata = None if self.options.metadata is None else dict(self.options.metadata)
        self.service_tag = ServiceTag(self._KIND, name, description, metadata)
        self.handlers: dict[str, Handler] = {}

    @property
    def name(self) -> str:
        return self.service_tag.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def manifest(self) -> dict[str, Any]:
        """The service's part of the discovery manifest."""
        return {
            "name": self.name,
            "ty": self.service_tag.manifest_type,
            "handlers": [handler.manifest() for handler in self.handlers.values()],
            **self.options.manifest(),
        }

    def _register(
        self,
        name: str | None,
        kind: HandlerKind | None,
        payloads: _Payloads,
        given: Mapping[str, Any],
        options_of: type,
    ) -> Callable[[F], F]:
        """The decorator that makes a function a handler of this service."""
        if callable(name):
            raise TypeError(
                f"Write @{type(self).__name__.lower()}.handler() with parentheses: "
                "the decorator takes options."
            )
        options, context_managers = read(given, options_of)

        def decorate(function: F) -> F:
            handler = Handler(
                self.service_tag,
                name or function.__name__,
                kind,
                function,
                h.make_io(function, *payloads),
                replace(options, description=_documentation(function)),
                (*self.context_managers, *context_managers),
            )
            if handler.name in self.handlers:
                raise ValueError(f"{self.name} has two handlers named {handler.name!r}.")
            self.handlers[handler.name] = handler
            return h.attach(function, handler)

        return decorate


def _documentation(function: Callable[..., Any]) -> str | None:
    return inspect.getdoc(function) if function.__doc__ else None


class Service(_ServiceBase):
    """Handlers without a key, each call on its own."""

    _KIND = "service"
    _OPTIONS = PlainOptions

    def __init__(
        self, name: str, description: str | None = None, **options: Unpack[PlainOptions]
    ) -> None:
        super().__init__(name, description, options)

    def handler(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        **options: Unpack[PlainOptions],
    ) -> Callable[[F], F]:
        """Make a function `(ctx)` or `(ctx, input)` a handler, named as itself or as `name`."""
        payloads = (accept, content_type, input_serde, output_serde)
        return self._register(name, None, payloads, options, PlainOptions)


class _Keyed(_ServiceBase):
    """A service with a key and state."""

    _OPTIONS = KeyedOptions

    def __init__(
        self, name: str, description: str | None = None, **options: Unpack[KeyedOptions]
    ) -> None:
        super().__init__(name, description, options)


class VirtualObject(_Keyed):
    """Handlers with a key; exclusive ones run one at a time per key and may write state."""

    _KIND = "object"

    def handler(
        self,
        name: str | None = None,
        kind: Literal["exclusive", "shared"] = "exclusive",
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        **options: Unpack[KeyedOptions],
    ) -> Callable[[F], F]:
        """Make a function a handler; `shared` ones run beside others and only read state."""
        payloads = (accept, content_type, input_serde, output_serde)
        return self._register(name, kind, payloads, options, KeyedOptions)


class Workflow(_Keyed):
    """A `main` handler that runs once per key, and shared handlers that talk to it."""

    _KIND = "workflow"

    def main(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        **options: Unpack[MainOptions],
    ) -> Callable[[F], F]:
        """Make a function the workflow itself; `workflow_retention` keeps its result that long."""
        if any(handler.kind == "workflow" for handler in self.handlers.values()):
            raise ValueError(f"{self.name} has a main handler already.")
        payloads = (accept, content_type, input_serde, output_serde)
        return self._register(name, "workflow", payloads, options, MainOptions)

    def handler(
        self,
        name: str | None = None,
        accept: str | None = None,
        content_type: str | None = None,
        input_serde: Serde[Any] | None = None,
        output_serde: Serde[Any] | None = None,
        **options: Unpack[KeyedOptions],
    ) -> Callable[[F], F]:
        """Make a function a handler that runs beside the workflow."""
        payloads = (accept, content_type, input_serde, output_serde)
        return self._register(name, "shared", payloads, options, KeyedOptions)


AnyService = Service | VirtualObject | Workflow
