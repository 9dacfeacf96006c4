"""Types of the ingress client, under the official SDK's module name."""

from rtour.sdk.ingress import Client as RestateClient
from rtour.sdk.ingress import HttpError
from rtour.sdk.ingress import SendResult as RestateClientSendHandle

__all__ = ["HttpError", "RestateClient", "RestateClientSendHandle"]
