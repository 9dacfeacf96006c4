"""Bodies and content types at the ingress: the tables of http-api A3 and A5, cell by cell."""

from __future__ import annotations

import pytest

from rtour.errors import InputRejected
from rtour.protocol.discovery import InputPayload, InputRules, OutputPayload, OutputRules

NOTHING = InputPayload()
JSON = "application/json"
OPTIONAL_JSON = InputPayload(required=False, content_type=JSON, json_schema={"type": "string"})
REQUIRED_JSON = InputPayload(required=True, content_type=JSON, json_schema=True)
ANY = InputPayload(content_type="*/*")
TEXT = InputPayload(content_type="text/*")
EXACT = InputPayload(required=True, content_type="image/png")

EMPTY_TYPE = "Empty content-type"
EMPTY_BODY = "Empty body not allowed"


def not_empty(content_type: str | None) -> str:
    shown = "None" if content_type is None else f'Some("{content_type}")'
    return f"Expected body and content-type to be empty, but wasn't with content-type '{shown}'"


def no_match(given: str, wanted: str) -> str:
    return f"Content-type '{given}' does not match '{wanted}'"


@pytest.mark.parametrize(
    ("payload", "content_type", "body", "complaint"),
    [
        (NOTHING, None, b"", None),
        (NOTHING, None, b"x", not_empty(None)),
        (NOTHING, JSON, b"", not_empty(JSON)),
        (NOTHING, JSON, b"x", not_empty(JSON)),
        (OPTIONAL_JSON, None, b"", None),
        (OPTIONAL_JSON, JSON, b"1", None),
        (OPTIONAL_JSON, JSON + "; charset=utf-8", b"1", None),
        (OPTIONAL_JSON, JSON, b"not json", None),
        (OPTIONAL_JSON, None, b"1", EMPTY_TYPE),
        (OPTIONAL_JSON, "a/b", b"1", no_match("a/b", JSON)),
        (OPTIONAL_JSON, "Application/JSON", b"1", no_match("Application/JSON", JSON)),
        (OPTIONAL_JSON, "json", b"1", no_match("json", JSON)),
        (OPTIONAL_JSON, JSON, b"", EMPTY_BODY),
        (REQUIRED_JSON, None, b"", EMPTY_TYPE),
        (REQUIRED_JSON, None, b"1", EMPTY_TYPE),
        (REQUIRED_JSON, JSON, b"", EMPTY_BODY),
        (REQUIRED_JSON, JSON, b"1", None),
        (ANY, None, b"", None),
        (ANY, None, b"x", EMPTY_TYPE),
        (ANY, "anything", b"", None),
        (TEXT, None, b"", None),
        (TEXT, "text/plain", b"", None),
        (TEXT, "text/html; charset=x", b"x", None),
        (TEXT, "texts/html", b"x", no_match("texts/html", "text/*")),
        (TEXT, "text", b"x", no_match("text", "text/*")),
        (EXACT, "image/png", b"", None),
        (EXACT, "image/jpeg", b"x", no_match("image/jpeg", "image/png")),
        (None, None, b"", None),
        (None, None, b"x", EMPTY_TYPE),
        (None, "a/b", b"", None),
        (None, "a/b", b"x", None),
        (
            InputPayload(required=True),
            JSON,
            b"1",
            "Bad configuration of the input validation rules",
        ),
    ],
)
def test_which_bodies_pass(
    payload: InputPayload | None, content_type: str | None, body: bytes, complaint: str | None
) -> None:
    """A request passes if one rule lets it; else the last rule's complaint is the message."""
    rules = InputRules.of(payload)
    if complaint is None:
        rules.check(content_type, body)
        return
    with pytest.raises(InputRejected) as raised:
        rules.check(content_type, body)
    assert str(raised.value) == f"input validation error: {complaint}"


@pytest.mark.parametrize(
    ("payload", "description"),
    [
        (NOTHING, "none"),
        (OPTIONAL_JSON, "JSON string"),
        (REQUIRED_JSON, "application/json"),
        (
            InputPayload(content_type=JSON, json_schema={"title": "Order", "type": "object"}),
            "JSON 'Order'",
        ),
        (InputPayload(content_type=JSON, json_schema={"type": ["string", "null"]}), JSON),
        (InputPayload(content_type=" a/b "), "a/b"),
        (ANY, "*/*"),
        (TEXT, "text/*"),
        (None, "*/*"),
        (InputPayload(required=True), "<invalid rules>"),
    ],
)
def test_how_inputs_are_described(payload: InputPayload | None, description: str) -> None:
    """By the schema's title or type, else by the content type; `none` when there is neither."""
    assert InputRules.of(payload).description == description


@pytest.mark.parametrize(
    ("payload", "of_empty", "of_body", "description"),
    [
        (None, None, JSON, JSON),
        (OutputPayload(), None, None, "none"),
        (OutputPayload(set_content_type_if_empty=False), None, None, "none"),
        (OutputPayload(content_type="a/b"), None, "a/b", "a/b"),
        (
            OutputPayload(content_type="a/b", set_content_type_if_empty=True),
            "a/b",
            "a/b",
            "optional a/b",
        ),
        (
            OutputPayload(content_type=JSON, json_schema={"type": "integer"}),
            None,
            JSON,
            "JSON integer",
        ),
        (OutputPayload(content_type=JSON, json_schema=True), None, JSON, JSON),
    ],
)
def test_what_responses_are_called(
    payload: OutputPayload | None, of_empty: str | None, of_body: str | None, description: str
) -> None:
    """Empty responses have no content type unless the manifest insists."""
    rules = OutputRules.of(payload)
    assert rules.content_type(b"") == of_empty
    assert rules.content_type(b"x") == of_body
    assert rules.description == description
