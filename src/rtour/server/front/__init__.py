"""HTTP/1.1 and HTTP/2 on one port, for the ingress and the admin API.

    listener   the port; looks at a connection's first bytes
    ├── http1  requests by httptools (llhttp)
    └── http2  requests by ngh2 (libnghttp2), prior knowledge
    answering  an `App` and its failures; status lines, dates, targets
    guard      who may ask: tokens, hosts, web origins
    limits     every size, count and wait

No HTTP is parsed here: llhttp and libnghttp2 do that. What is ours is when to stop: limits, time,
and clients that go away, whose requests are cancelled at once.
"""

from rtour.server.front.limits import FrontLimits
from rtour.server.front.listener import Front, FrontError

__all__ = ["Front", "FrontError", "FrontLimits"]
