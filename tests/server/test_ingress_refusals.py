"""What the ingress refuses, and in which words (http-api.md A3, A5)."""

from __future__ import annotations

import logging

import pytest

from tests.server.errors_of_ingress import refused
from tests.server.rooms import Rooms

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
CLASSIC = "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler"
NEW = (
    "bad path, expected /restate/call/:service/:handler, /restate/send/:service/:handler, "
    "/restate/scope/:scope/call/:service/:handler, /restate/attach/:invocation_id, "
    "/restate/output/:invocation_id, or /restate/lookup"
)
NO_SERVICE = "service 'Nope' not found, make sure to register the service before calling it."
DELAY = "bad delay query parameter, must be a ISO8601 duration: "


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/", 400, "bad path: /"),
        ("GET", "/x", 400, "bad path: /x"),
        ("GET", "/a/b/c/d/e/f/g/h", 400, "bad path: /a/b/c/d/e/f/g/h"),
        ("GET", "/openapi", 400, "bad path: /openapi"),
        ("GET", "/openapi/x", 404, "not found"),
        ("GET", "/Nope/h", 404, NO_SERVICE),
        ("GET", "/Nope/a/b/c/d", 404, NO_SERVICE),
        (
            "GET",
            "/Greeter/nope",
            404,
            ("the service 'Greeter' exists, but the handler 'nope' was not found, check that the "
            "handler exists in the latest registered service version."),
        ),
        ("POST", "/Greeter/hidden", 400, "the invoked service is not public"),
        ("POST", "/Greeter/hidden/send", 400, "the invoked service is not public"),
        ("POST", "/Secret/tell", 400, "the invoked service is not public"),
        ("GET", "/Greeter/greet/foo", 400, CLASSIC),
        ("GET", "/Greeter/greet/send/foo", 400, CLASSIC),
        ("GET", "/Counter/k", 400, CLASSIC),
        ("GET", "/Counter/k/add/send/x", 400, CLASSIC),
        (
            "GET",
            "/Counter/%ff/get",
            400,
            ("bad path, cannot decode key: FromUtf8Error { bytes: [255], error: Utf8Error "
            "{ valid_up_to: 0, error_len: Some(1) } }"),
        ),
        (
            "GET",
            "/Counter/a%C3/get",
            400,
            ("bad path, cannot decode key: FromUtf8Error { bytes: [97, 195], error: Utf8Error "
            "{ valid_up_to: 1, error_len: None } }"),
        ),
        ("GET", "/restate", 400, "bad path: /restate"),
        ("GET", "/restate/foo", 404, "not found"),
        ("GET", "/restate/call", 400, NEW),
        ("GET", "/restate/call/Greeter", 400, NEW),
        ("GET", "/restate/call/Nope/x", 404, NO_SERVICE),
        ("GET", "/restate/call/Greeter/greet/send", 400, NEW),
        ("GET", "/restate/call/Counter/k", 400, NEW),
        ("GET", "/restate/send/Counter/k/add/x", 400, NEW),
        (
            "GET",
            "/restate/scope/s/call/Greeter/greet",
            400,
            "scoped invocations require vqueues to be enabled",
        ),
        ("GET", "/restate/scope/s", 400, NEW),
        ("GET", "/restate/lookup", 405, "method not allowed"),
        ("GET", "/restate/attach", 405, "method not allowed"),
        ("POST", f"/restate/attach/{INV}", 405, "method not allowed"),
        ("POST", "/restate/attach/foo", 400, "bad invocation id 'foo': bad format"),
        ("GET", "/restate/attach/foo", 400, "bad invocation id 'foo': bad format"),
        ("GET", f"/restate/output/{INV}0", 400, f"bad invocation id '{INV}0': bad length"),
        (
            "GET",
            "/restate/output/inv_2a1mlWikgvPI1rXixtTrp3NMDUb0000000",
            400,
            ("bad invocation id 'inv_2a1mlWikgvPI1rXixtTrp3NMDUb0000000': "
            "unrecognized codec version"),
        ),
        ("GET", f"/restate/invocation/{INV}/foo", 404, "not found"),
        ("GET", "/restate/invocation/foo/output", 400, "bad invocation id 'foo': bad format"),
        (
            "GET",
            f"/restate/invocation/{INV}",
            400,
            ("bad path, expected either /restate/invocation/:invocation_id/output or "
            "/restate/invocation/:invocation_id/attach or "
            "/restate/invocation/:invocation_target/:idempotency_key/output or "
            "/restate/invocation/:invocation_target/:idempotency_key/attach"),
        ),
        (
            "GET",
            "/restate/invocation",
            400,
            ("bad path, expected either /restate/invocation/:invocation_id/output or "
            "/restate/invocation/:invocation_id/attach or "
            "/restate/invocation/:invocation_target/:idempotency_key/output or "
            "/restate/invocation/:invocation_target/:idempotency_key/attach"),
        ),
        ("POST", f"/restate/invocation/{INV}/output", 405, "method not allowed"),
        ("GET", "/restate/invocation/Nope/k/add/zz/attach", 404, NO_SERVICE),
        ("GET", "/restate/invocation/Nope/x/attach", 404, NO_SERVICE),
        ("GET", "/restate/invocation/Greeter/greet/x/y/attach", 404, "not found"),
        ("GET", "/restate/workflow/Flow/k2/foo", 404, "not found"),
        (
            "GET",
            "/restate/workflow/Flow",
            400,
            ("bad path, expected either /restate/workflow/:workflow_name/:workflow_key/output or "
            "/restate/workflow/:workflow_name/:workflow_key/attach"),
        ),
        ("POST", "/restate/awakeables/zzz/resolve", 400, "bad awakeable id 'zzz': bad format"),
        (
            "POST",
            "/restate/a/sign_1foo/resolve",
            400,
            "bad awakeable id 'sign_1foo': id doesn't match the expected type",
        ),
        ("GET", "/restate/a/x/resolve", 405, "method not allowed"),
        ("POST", "/restate/a/x/foo", 404, "not found"),
        (
            "POST",
            "/restate/a/x",
            400,
            ("bad path, expected either /restate/awakeables/:id/resolve or "
            "/restate/awakeables/:id/reject"),
        ),
        ("POST", "/restate/health", 405, "method not allowed"),
        ("PUT", "/Greeter/greet", 405, "method not allowed"),
        ("HEAD", "/Greeter/greet", 405, "method not allowed"),
        (
            "GET",
            "/Greeter/none?delay=1s",
            400,
            ("cannot use the delay query parameter with calls. "
            "The delay is supported only with sends"),
        ),
        ("GET", "/Greeter/none/send?limit-key=a", 400, "limit-key requires a scope to be set"),
        ("GET", "/Greeter/none/send?delay=", 400, DELAY + "an empty string is not a valid duration "
         'in either the ISO 8601 format or Jiff\'s "friendly" format'),
        ("GET", "/Greeter/none/send?delay=1mo", 400, DELAY + "please use units of days or smaller"),
        ("GET", "/Greeter/none/send?delay=-1s", 400, DELAY + "negative signed durations cannot be "
         "converted to an unsigned duration"),
    ],
)  # fmt: skip
async def test_refusals(rooms: Rooms, method: str, path: str, status: int, message: str) -> None:
    """What the ingress refuses is refused with the official status and words."""
    assert refused(await rooms.ingress.request(method, path)) == (status, message)
    assert rooms.processor.commands == []


async def test_refusals_are_told_to_who_wants_to_know(
    rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    """At debug only: anybody may cause as many as they like."""
    for level in (logging.INFO, logging.DEBUG):
        with caplog.at_level(level, "rtour.ingress"):
            await rooms.ingress.request("POST", "/Secret/tell")
    told = "POST /Secret/tell is refused: [400] the invoked service is not public"
    messages = [each.getMessage() for each in caplog.records if each.name == "rtour.ingress"]
    assert messages == [told]


@pytest.mark.parametrize(
    ("handler", "content_type", "body", "complaint"),
    [
        ("none", None, b"", None),
        ("none", None, b"1", ("Expected body and content-type to be empty, but wasn't with "
         "content-type 'None'")),
        ("none", "application/json", b"1", ("Expected body and content-type to be empty, but "
         "wasn't with content-type 'Some(\"application/json\")'")),
        ("none", "application/json", b"", None),  # superset, for the TypeScript client
        ("greet", None, b"", None),
        ("greet", None, b'"x"', "Empty content-type"),
        ("greet", "application/json", b"", "Empty body not allowed"),
        ("greet", "text/plain", b"x", ("Content-type 'text/plain' does not match "
         "'application/json'")),
        ("greet", "Application/JSON", b"1", ("Content-type 'Application/JSON' does not match "
         "'application/json'")),
        ("greet", "application/json; charset=utf-8", b"{", None),
        ("any", None, b"", None),
        ("any", None, b"x", "Empty content-type"),
        ("any", "a/b", b"", None),
        ("text", "text/html", b"", None),
        ("text", "a/b", b"x", "Content-type 'a/b' does not match 'text/*'"),
    ],
)  # fmt: skip
async def test_content_rules(
    rooms: Rooms, handler: str, content_type: str | None, body: bytes, complaint: str | None
) -> None:
    """Bodies and content types are taken by the rules of the manifest, never parsed."""
    headers = {} if content_type is None else {"content-type": content_type}
    response = await rooms.ingress.post(f"/Greeter/{handler}", content=body, headers=headers)
    if complaint is None:
        assert response.status_code == 200
    else:
        assert refused(response) == (400, f"input validation error: {complaint}")


async def test_server_that_cannot_go_on(rooms: Rooms) -> None:
    """Without a processor the ingress is 503 and the admin API too."""
    rooms.requests.fail(OSError("the disk is full"))
    response = await rooms.ingress.get("/Greeter/none")
    assert refused(response) == (503, "internal routing error: the disk is full")
    response = await rooms.admin.patch(f"/invocations/{INV}/kill")
    assert (response.status_code, response.json()["message"]) == (503, "the disk is full")


async def test_bug(rooms: Rooms) -> None:
    """A bug behind the rooms is a 500 in the shape of all errors, here and there."""

    def broken(command: object) -> None:
        raise RuntimeError("a bug")

    rooms.processor.answers = broken
    response = await rooms.ingress.get("/Greeter/none")
    assert refused(response) == (500, "internal server error")
    response = await rooms.admin.patch(f"/invocations/{INV}/kill")
    assert (response.status_code, response.json()["message"]) == (500, "internal server error")
