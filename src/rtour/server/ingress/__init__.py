"""The ingress: clients' HTTP requests become commands, and answers become replies (http-api.md A).

app         CORS, routing, errors
paths       the grammar of paths
calls       call and send
results     attach, output, lookup
awakeables  resolve and reject
replies     what answers look like
"""

from rtour.server.ingress.app import Ingress

__all__ = ["Ingress"]
