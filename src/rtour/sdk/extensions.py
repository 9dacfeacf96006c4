"""For integrations: the current context, data of an attempt, values of context managers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, cast

from rtour.sdk.attempt import current
from rtour.sdk.context import Context, InvocationContext

T = TypeVar("T")


def current_context() -> Context | None:
    """The context of the handler that is running; None outside of one."""
    return current.get(None)


def get_extension_data(ctx: Context, key: str) -> Any:
    """What was set on this attempt under `key`; None if nothing was."""
    return _data(ctx).get(key)


def set_extension_data(ctx: Context, key: str, value: Any) -> None:
    """Keep a value for this attempt; its `__close__` is called at the end, if it has one."""
    _data(ctx)[key] = value


def clear_extension_data(ctx: Context, key: str) -> None:
    _data(ctx).pop(key, None)


def _data(ctx: Context) -> dict[str, Any]:
    return cast("InvocationContext", ctx).extension_data


class contextvar(Generic[T]):  # noqa: N801 - a decorator, named as the official SDK names it
    """Makes an async context manager function an invocation context manager with a `value`.

    @rtour.extensions.contextvar
    @asynccontextmanager
    async def database():
        async with connect() as connection:
            yield connection

    Give it to a service as `invocation_context_managers=[database]`; inside its handlers,
    `database.value` is the connection.
    """

    def __init__(self, factory: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._factory = factory
        self._variable: ContextVar[T] = ContextVar(getattr(factory, "__name__", "contextvar"))

    def __call__(self) -> AbstractAsyncContextManager[T]:
        return self._enter()

    @asynccontextmanager
    async def _enter(self) -> AsyncIterator[T]:
        async with self._factory() as value:
            token = self._variable.set(value)
            try:
                yield value
            finally:
                self._variable.reset(token)

    @property
    def value(self) -> T:
        """What the context manager gave; LookupError outside of it."""
        return self._variable.get()
