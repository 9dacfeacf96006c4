"""The built-in server: services on h2c and HTTP/1.1, on one port, without an ASGI server.

listener     accepts, tells the protocols apart by their first bytes, stops gracefully
http2        many attempts at a time on one connection, both ways at once
http1        one after the other; what Restate calls request and response
running      processes: workers, signals, reloading
"""

from rtour.sdk.serving.listener import Listener
from rtour.sdk.serving.running import restart_after_change, serve

__all__ = ["Listener", "restart_after_change", "serve"]
