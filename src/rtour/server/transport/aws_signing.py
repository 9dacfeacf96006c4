"""Where Lambda is and with which credentials it is asked: AWS's own botocore knows."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from rtour.server.transport.aws_lambda import Call, Signer
from rtour.server.transport.errors import ConnectFailed
from rtour.server.transport.interface import Endpoint

_JSON: Final = {"content-type": "application/json"}
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_EXTRA: Final = (
    "calling AWS Lambda needs the extra: pip install 'rtour[aws]', then start the server again "
    "(for functions on this machine, see --lambda-endpoint and rtour lambda-local)"
)


def calls_to(url: str | None) -> Signer:
    """Calls to Lambda in AWS, or at another address; one on this machine wants no signature."""
    host = None if url is None else urlsplit(url).hostname
    if url is not None and host in _THIS_MACHINE:
        return UnsignedCalls(url)
    return AwsCalls(url)


class UnsignedCalls:
    """For an endpoint of one's own, such as `rtour lambda-local`: whoever can reach it may call."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def call(self, endpoint: Endpoint, path: str, body: bytes) -> Call:  # noqa: ARG002
        return Call(self._url, path, tuple(_JSON.items()))


class AwsCalls:
    """Calls signed with the credentials that AWS's tools would use, or an assumed role's.

    `url` replaces Lambda's own address in the function's region.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._session: Any = None
        self._credentials: dict[str | None, Any] = {}
        self._urls: dict[str, str] = {}

    async def call(self, endpoint: Endpoint, path: str, body: bytes) -> Call:
        """Raises ConnectFailed."""
        try:
            # Credentials may have to be fetched or renewed: that blocks.
            return await asyncio.to_thread(self._signed, endpoint, path, body)
        except ImportError as error:
            raise ConnectFailed(_NO_EXTRA) from error

    def _signed(self, endpoint: Endpoint, path: str, body: bytes) -> Call:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - an extra
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        region = endpoint.uri.split(":")[3]
        try:
            url = self._url or self._lambda_url(region)
            request = AWSRequest("POST", url + path, headers=dict(_JSON), data=body)
            frozen = self._frozen(endpoint.role, region)
            SigV4Auth(frozen, "lambda", region).add_auth(request)
        except (BotoCoreError, ClientError) as error:
            raise ConnectFailed(f"no AWS credentials: {error}") from error
        return Call(url, path, [(name.lower(), value) for name, value in request.headers.items()])

    def _lambda_url(self, region: str) -> str:
        if region not in self._urls:
            client = self._botocore().create_client("lambda", region_name=region)
            self._urls[region] = client.meta.endpoint_url
        return self._urls[region]

    def _frozen(self, role: str | None, region: str) -> Any:
        """The credentials to use now."""
        if role not in self._credentials:
            found = self._own() if role is None else self._assumed(role, region)
            self._credentials[role] = found
        return self._credentials[role].get_frozen_credentials()

    def _own(self) -> Any:
        found = self._botocore().get_credentials()
        if found is None:
            raise ConnectFailed(
                "no AWS credentials: give the server some, as AWS's own tools take them "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, an instance's role)"
            )
        return found

    def _assumed(self, role: str, region: str) -> Any:
        from botocore.credentials import (  # noqa: PLC0415 - an extra
            AssumeRoleCredentialFetcher,
            DeferredRefreshableCredentials,
        )

        fetcher = AssumeRoleCredentialFetcher(
            partial(self._botocore().create_client, region_name=region),
            self._own(),
            role,
            extra_args={"RoleSessionName": "restate"},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _botocore(self) -> Any:
        if self._session is None:
            from botocore.session import Session  # noqa: PLC0415 - an extra

            self._session = Session()
        return self._session
