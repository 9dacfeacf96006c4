"""Requests to Lambda functions: events out, answers in, signed where AWS wants it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Sequence
from typing import Any

import pytest
from backports import zstd

from rtour.server.transport import BadPeer, ConnectFailed, Endpoint, ResponseHead
from rtour.server.transport.aws_lambda import LambdaTransport
from rtour.server.transport.aws_signing import AwsCalls, UnsignedCalls, calls_to

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:fn:latest"
FUNCTION = Endpoint(ARN, "HTTP/1.1")
OK = {"statusCode": 200, "headers": {"Content-Type": "x/y"}, "body": "", "isBase64Encoded": True}


class Reply:
    """An exchange with Lambda's API that is over."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head = ResponseHead(status, headers)
        self._pieces = [body, b""] if body else [b""]

    async def head(self) -> ResponseHead:
        return self._head

    async def receive(self) -> bytes:
        return self._pieces.pop(0)

    def abort(self) -> None:
        """There is nothing to end."""


class Api:
    """Stands in for the transport below: answers each call, and keeps it."""

    def __init__(self, body: Any = OK, status: int = 200, **headers: str) -> None:
        self.calls: list[tuple[Endpoint, str, dict[str, str], Any]] = []
        self._status = status
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> Any:
        assert (end, method) == (True, "POST")
        self.calls.append((endpoint, path, dict(headers), json.loads(body)))
        return Reply(self._status, self._headers, self._body)

    async def close(self) -> None:
        """Nothing is open."""


def transport(api: Api) -> LambdaTransport:
    return LambdaTransport(api, UnsignedCalls("http://127.0.0.1:9001/"))


async def ask(api: Api, endpoint: Endpoint = FUNCTION, body: bytes = b"in") -> bytes:
    exchange = await transport(api).open(
        endpoint, "/invoke/S/h", [("content-type", "a/b")], body=body, end=True
    )
    await exchange.head()
    return await exchange.receive()


async def test_a_request_is_an_event() -> None:
    """In the shape of API Gateway, to the function that the ARN names."""
    api = Api(OK | {"body": base64.b64encode(b"out").decode()})
    assert await ask(api) == b"out"
    ((endpoint, path, _, event),) = api.calls
    assert endpoint == Endpoint("http://127.0.0.1:9001", "HTTP/1.1")
    name = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Afn%3Alatest"
    assert path == f"/2015-03-31/functions/{name}/invocations"
    assert event == {
        "path": "/invoke/S/h",
        "httpMethod": "POST",
        "headers": {"content-type": "a/b"},
        "body": base64.b64encode(b"in").decode(),
        "isBase64Encoded": True,
    }


async def test_the_answer_is_a_response() -> None:
    """Its headers in lower case, its body as bytes or as text."""
    api = Api(OK | {"statusCode": 404, "body": "text", "isBase64Encoded": False})
    exchange = await transport(api).open(FUNCTION, "/p", [], end=True)
    assert await exchange.head() == ResponseHead(404, {"content-type": "x/y"})
    assert [await exchange.receive(), await exchange.receive()] == [b"text", b""]
    assert len(api.calls) == 1


async def test_nothing_is_sent_before_the_body_is_complete() -> None:
    """A function sees its whole event, or none."""
    api = Api()
    exchange = await transport(api).open(FUNCTION, "/p", [], body=b"a")
    head = asyncio.get_running_loop().create_task(exchange.head())
    exchange.send(b"b")
    await exchange.drain_send()
    await asyncio.sleep(0)
    assert api.calls == []
    exchange.end_request()
    await head
    assert api.calls[0][3]["body"] == base64.b64encode(b"ab").decode()


async def test_a_call_that_is_given_up_ends() -> None:
    """Whoever waits for its answer hears so."""

    class Slow(Api):
        async def open(self, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

    exchange = await transport(Slow()).open(FUNCTION, "/p", [], end=True)
    head = asyncio.get_running_loop().create_task(exchange.head())
    await asyncio.sleep(0)
    exchange.abort()
    with pytest.raises(ConnectFailed, match="given up"):
        await head


@pytest.mark.parametrize(
    ("api", "error", "words"),
    [
        (
            Api({"Message": "not there"}, 404, x_amzn_errortype="ResourceNotFoundException"),
            ConnectFailed,
            "ResourceNotFoundException: not there",
        ),
        (
            Api({"message": "no"}, 403, x_amzn_errortype="InvalidSignatureException:http://x/"),
            ConnectFailed,
            "InvalidSignatureException: no",
        ),
        (Api(b"<html>", 502), ConnectFailed, "status 502: no reason given"),
        (
            Api({"errorType": "ValueError", "errorMessage": "x"}, x_amz_function_error="Unhandled"),
            BadPeer,
            "the Lambda function failed: ValueError: x",
        ),
        (Api({"some": "thing"}), BadPeer, "returned no HTTP response"),
        (Api(b"null"), BadPeer, "returned no HTTP response"),
        (Api(OK | {"body": "%%%"}), BadPeer, "no base64"),
    ],
)
async def test_what_goes_wrong_is_told(api: Api, error: type[Exception], words: str) -> None:
    """Lambda's own words, told apart from the function's."""
    with pytest.raises(error, match=words):
        await ask(api)


async def test_large_bodies_are_compressed_for_who_can_read_them() -> None:
    """Above four megabytes, and the answer may be compressed as well."""
    answer = base64.b64encode(zstd.compress(b"out")).decode()
    api = Api(OK | {"body": answer, "headers": {"content-encoding": "zstd"}})
    able = Endpoint(ARN, "HTTP/1.1", zstd=True)
    large = os.urandom(1 << 10) * (5 << 10)
    assert await ask(api, able, large) == b"out"
    event = api.calls[0][3]
    assert event["headers"]["content-encoding"] == "zstd"
    assert event["headers"]["accept-encoding"] == "zstd"
    assert zstd.decompress(base64.b64decode(event["body"])) == large
    plain = Api()
    await ask(plain, able, b"small")
    assert "content-encoding" not in plain.calls[0][3]["headers"]
    await ask(plain, FUNCTION, large)
    assert "accept-encoding" not in plain.calls[1][3]["headers"]


async def test_urls_go_straight_through() -> None:
    """What is no ARN is none of its business."""

    class Below(Api):
        async def open(self, *arguments: Any, **_: Any) -> Any:
            return arguments

    endpoint = Endpoint("http://127.0.0.1:9080")
    assert await transport(Below()).open(endpoint, "/p", []) == (endpoint, "/p", [])


# --- signatures ----------------------------------------------------------------------------------


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.usefixtures("credentials")
async def test_calls_to_aws_are_signed() -> None:
    """For Lambda in the function's region, at its address there."""
    call = await AwsCalls().call(FUNCTION, "/2015-03-31/functions/x/invocations", b"{}")
    assert call.url == "https://lambda.eu-west-1.amazonaws.com"
    headers = dict(call.headers)
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/lambda/aws4_request" in headers["authorization"]
    assert "secret" not in str(call)


async def _sts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """AWS's token service, as far as one role goes."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    asked = await reader.readexactly(length)
    assert b"Action=AssumeRole" in asked
    assert b"role%2Frtour" in asked
    body = (
        b'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        b"<AssumeRoleResult><Credentials><AccessKeyId>ASSUMED</AccessKeyId>"
        b"<SecretAccessKey>other</SecretAccessKey><SessionToken>token</SessionToken>"
        b"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        b"</AssumeRoleResponse>"
    )
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    await writer.drain()
    writer.close()


@pytest.mark.usefixtures("credentials")
async def test_a_role_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its credentials sign the call; the server's own only ask for them."""
    server = await asyncio.start_server(_sts, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
    role = Endpoint(ARN, "HTTP/1.1", role="arn:aws:iam::123456789012:role/rtour")
    async with server:
        call = await AwsCalls().call(role, "/x", b"{}")
    headers = dict(call.headers)
    assert "Credential=ASSUMED/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "token"


@pytest.mark.usefixtures("credentials")
async def test_without_credentials_the_call_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which are looked for."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConnectFailed, match="AWS_ACCESS_KEY_ID"):
        await AwsCalls().call(FUNCTION, "/x", b"")


async def test_without_the_extra_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, and what there is for this machine."""
    monkeypatch.setitem(__import__("sys").modules, "botocore.auth", None)
    with pytest.raises(ConnectFailed, match=r"pip install 'rtour\[aws\]'.*lambda-local"):
        await AwsCalls().call(FUNCTION, "/x", b"")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (None, AwsCalls),
        ("https://vpce-1.lambda.eu-west-1.vpce.amazonaws.com", AwsCalls),
        ("http://127.0.0.1:9001", UnsignedCalls),
        ("http://localhost:9001", UnsignedCalls),
    ],
)
def test_only_this_machine_is_called_without_a_signature(url: str | None, kind: type) -> None:
    """Everywhere else there is somebody who must know who asks."""
    assert isinstance(calls_to(url), kind)
