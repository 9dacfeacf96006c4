"""Calling handlers from outside: through the ingress, with the types of the decorated handlers.

    async with rtour.create_client("http://localhost:8080") as client:
        print(await client.service_call(greet, "Ada"))

`create_sync_client` is the same without `await`. Needs httpx: `pip install 'rtour[server]'`.
"""

from rtour.sdk.ingress.asynchronous import Client, create_client
from rtour.sdk.ingress.requests import HttpError, SendResult
from rtour.sdk.ingress.retrying import Retries
from rtour.sdk.ingress.synchronous import SyncClient, create_sync_client

__all__ = [
    "Client",
    "HttpError",
    "Retries",
    "SendResult",
    "SyncClient",
    "create_client",
    "create_sync_client",
]
