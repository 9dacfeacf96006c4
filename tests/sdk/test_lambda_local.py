"""Lambda on this machine: its API, and the processes behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rtour.sdk.lambda_local import Function, LambdaApi, Pool

Serve = Callable[..., LambdaApi]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a handler of `functions`; ended afterwards."""
    served: list[LambdaApi] = []

    def start(handler: str, **limits: Any) -> LambdaApi:
        function = Function(f"tests.sdk.functions:{handler}", "fn", **limits)
        api = LambdaApi(("127.0.0.1", 0), Pool(function))
        threading.Thread(target=api.serve_forever, daemon=True).start()
        served.append(api)
        return api

    yield start
    for api in served:
        api.shutdown()
        api.server_close()
        api.pool.close()


def invoke(api: LambdaApi, event: Any, name: str = "fn") -> httpx.Response:
    url = f"{api.url}/2015-03-31/functions/{name}/invocations"
    return httpx.post(url, content=json.dumps(event), timeout=60)


def test_the_handler_gets_event_and_context(serve: Serve) -> None:
    """As on Lambda: the function's name, its ARN, and the variable that SDKs look for."""
    api = serve("tell")
    told = invoke(api, {"a": [1]}).json()
    del told["pid"]
    assert told == {
        "event": {"a": [1]},
        "function": "fn",
        "arn": api.pool.function.arn,
        "environment": "fn",
    }


def test_an_idle_process_is_used_again(serve: Serve) -> None:
    """One cold start for events that follow each other."""
    api = serve("tell")
    assert len({invoke(api, None).json()["pid"] for _ in range(3)}) == 1
    assert (api.pool.cold_starts, api.pool.warm) == (1, 1)


def test_nothing_is_kept_warm_when_told_so(serve: Serve) -> None:
    """Each event has a process of its own, which is gone when it was answered."""
    api = serve("tell", keep_warm_s=0.0)
    pids = [invoke(api, None).json()["pid"] for _ in range(2)]
    assert len(set(pids)) == 2
    assert api.pool.warm == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_process_that_nobody_needs_ends(serve: Serve) -> None:
    """After the time for which it is kept warm."""
    api = serve("tell", keep_warm_s=0.1)
    pid = invoke(api, None).json()["pid"]
    ended = threading.Event()
    while Path(f"/proc/{pid}").exists():
        assert not ended.wait(0.02)
    assert api.pool.warm == 0


def test_events_at_once_have_processes_of_their_own(serve: Serve) -> None:
    """Up to the limit; beyond it Lambda's own refusal."""
    api = serve("hang", concurrency=1, timeout_s=2.0)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: invoke(api, None), range(2)))
    throttled = [answer for answer in answers if answer.status_code == 429]
    assert len(throttled) == 1
    assert throttled[0].headers["x-amzn-errortype"] == "TooManyRequestsException"
    (other,) = [answer for answer in answers if answer.status_code == 200]
    assert other.headers["x-amz-function-error"] == "Unhandled"
    assert other.json()["errorMessage"] == "Task timed out after 2.00 seconds"


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("fail", "ValueError", "no such seat"),
        ("leave", "Runtime.ExitError", "exited with exit status 3"),
        ("missing", "AttributeError", "has no attribute 'missing'"),
        ("no_handler", "TypeError", "is a str, no Lambda handler"),
    ],
)
def test_a_function_that_fails_says_how(
    serve: Serve, handler: str, kind: str, message: str
) -> None:
    """In the shape of Lambda's own errors; the next event finds a working function again."""
    api = serve(handler)
    for _ in range(2):
        answer = invoke(api, None)
        assert answer.status_code == 200
        assert answer.headers["x-amz-function-error"] == "Unhandled"
        assert answer.json()["errorType"] == kind
        assert message in answer.json()["errorMessage"]


def test_what_a_handler_prints_is_no_answer(serve: Serve) -> None:
    """Its output goes to stderr."""
    assert invoke(serve("chatter"), {"x": 1}).json() == {"x": 1}


@pytest.mark.parametrize(
    "name",
    [
        "fn",
        "fn:7",
        "arn:aws:lambda:eu-west-1:123456789012:function:fn:latest",
        "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Afn%3A%24LATEST",
    ],
)
def test_a_function_is_known_by_name_and_by_arn(serve: Serve, name: str) -> None:
    """Whatever account, region and version."""
    assert invoke(serve("chatter"), 1, name).json() == 1


def test_another_function_is_not_found(serve: Serve) -> None:
    """With the error that the AWS SDKs know."""
    answer = invoke(serve("chatter"), 1, "other")
    assert answer.status_code == 404
    assert answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"


def test_bad_requests_are_refused(serve: Serve) -> None:
    """No JSON, too much of it, another operation; the connection stays usable."""
    api = serve("chatter")
    with httpx.Client(base_url=api.url) as client:
        path = "/2015-03-31/functions/fn/invocations"
        assert client.post(path, content=b"{").status_code == 400
        assert client.get(path).status_code == 404
        assert client.post(path, json="fine").json() == "fine"
        assert client.post(path, content=b"x" * (6 << 20) + b"x").status_code == 413
    assert invoke(api, 1).json() == 1


def test_an_app_is_a_handler(serve: Serve) -> None:
    """`rtour.app(...)` sees that it is on Lambda: discovery answers, and never streams."""
    event = {
        "path": "/discover",
        "httpMethod": "GET",
        "headers": {"accept": "application/vnd.restate.endpointmanifest.v4+json"},
        "body": "",
        "isBase64Encoded": True,
    }
    answer = invoke(serve("app"), event).json()
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is True
