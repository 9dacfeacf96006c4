"""`Endpoint` and `app`, under the official SDK's module name."""

from rtour.sdk.endpoint import Endpoint, app

__all__ = ["Endpoint", "app"]
