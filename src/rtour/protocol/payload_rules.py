"""Which bodies a handler takes from the ingress, and what its responses are called (http-api A3).

The manifest's `input` becomes one or two rules; a request passes if any of them lets it. Bodies
are never parsed: bad JSON is for the SDK to report.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import Any, NamedTuple

from rtour.errors import InputRejected, ManifestError
from rtour.protocol.manifest import InputPayload, OutputPayload

JSON = "application/json"


class RuleKind(enum.Enum):
    NOTHING = enum.auto()
    """Neither body nor content type."""
    ANY_BODY = enum.auto()
    """The content type fits; the body may be empty."""
    JSON_BODY = enum.auto()
    """The content type fits and there is a body."""


class InputRule(NamedTuple):
    """`pattern` is a content type; its subtype, or both its parts, may be `*`."""

    kind: RuleKind
    pattern: str = ""


class InputRules:
    """The rules of one handler; `InputRules.of(handler.input)` makes them."""

    __slots__ = ("_rules", "_schema")

    def __init__(self, rules: tuple[InputRule, ...], schema: Any = None) -> None:
        self._rules = rules
        self._schema = schema

    @classmethod
    def of(cls, payload: InputPayload | None) -> InputRules:
        if payload is None:
            return cls((InputRule(RuleKind.NOTHING), InputRule(RuleKind.ANY_BODY, "*/*")))
        rules = [] if payload.required else [InputRule(RuleKind.NOTHING)]
        if payload.content_type is not None:
            has_schema = payload.json_schema is not None
            kind = RuleKind.JSON_BODY if has_schema else RuleKind.ANY_BODY
            rules.append(InputRule(kind, _parsed_pattern(payload.content_type)))
        return cls(tuple(rules), payload.json_schema)

    def check(self, content_type: str | None, body: bytes) -> None:
        """Raise InputRejected unless a rule fits; the last rule's complaint is reported."""
        reported = "Bad configuration of the input validation rules"
        for rule in reversed(self._rules):  # the last one is for bodies, which nearly all have
            complaint = _complaint(rule, content_type, body)
            if complaint is None:
                return
            if rule is self._rules[-1]:
                reported = complaint
        raise InputRejected(f"input validation error: {reported}")

    @property
    def description(self) -> str:
        """How the admin API words it."""
        if not self._rules:
            return "<invalid rules>"
        rule = self._rules[-1]  # "or nothing" goes without saying
        if rule.kind is RuleKind.NOTHING:
            return "none"
        schema = self._schema if rule.kind is RuleKind.JSON_BODY else None
        return _schema_description(schema) or rule.pattern


class OutputRules:
    """What a handler's responses are called; `OutputRules.of(handler.output)` makes it."""

    __slots__ = ("_content_type", "_schema", "_set_if_empty")

    def __init__(self, content_type: str | None, set_if_empty: bool, schema: Any = None) -> None:
        self._content_type = content_type
        self._set_if_empty = set_if_empty
        self._schema = schema

    @classmethod
    def of(cls, payload: OutputPayload | None) -> OutputRules:
        if payload is None:
            return cls(JSON, set_if_empty=False)
        content_type = payload.content_type
        if content_type is not None and not _is_header_value(content_type):
            raise ManifestError(f"bad output content type {content_type!r}", status=400)
        return cls(content_type, bool(payload.set_content_type_if_empty), payload.json_schema)

    def content_type(self, body: bytes) -> str | None:
        """The content type of a response with this body; None: send none."""
        return self._content_type if body or self._set_if_empty else None

    @property
    def description(self) -> str:
        """How the admin API words it."""
        described = _schema_description(self._schema)
        if described is not None:
            return described
        if self._content_type is None:
            return "none"
        return f"optional {self._content_type}" if self._set_if_empty else self._content_type


def _is_header_value(text: str) -> bool:
    return all(char == "\t" or " " <= char != "\x7f" for char in text)


def _parsed_pattern(content_type: str) -> str:
    pattern = content_type.strip()
    kind, slash, subtype = pattern.partition("/")
    if not slash:
        reason = "must contain one /"
    elif kind == "*" != subtype:
        reason = "the wildcard format */subType is not supported"
    else:
        return pattern
    raise ManifestError(f"can't parse the content-type '{content_type}': {reason}", status=400)


def _complaint(rule: InputRule, content_type: str | None, body: bytes) -> str | None:
    """Why a request breaks a rule, in Restate's words; None if it does not."""
    if rule.kind is RuleKind.NOTHING:
        if not body and content_type is None:
            return None
        shown = "None" if content_type is None else f'Some("{content_type}")'
        return f"Expected body and content-type to be empty, but wasn't with content-type '{shown}'"
    if content_type is None:
        return "Empty content-type"
    if not _matches(rule.pattern, content_type):
        return f"Content-type '{content_type}' does not match '{rule.pattern}'"
    if rule.kind is RuleKind.JSON_BODY and not body:
        return "Empty body not allowed"
    return None


@lru_cache(maxsize=64)
def _matches(pattern: str, content_type: str) -> bool:
    """Case-sensitive, as Restate is; parameters do not count."""
    if pattern == "*/*":
        return True
    kind, slash, subtype = content_type.partition(";")[0].strip().partition("/")
    wanted_kind, _, wanted_subtype = pattern.partition("/")
    return bool(slash) and kind == wanted_kind and wanted_subtype in {"*", subtype}


def _schema_description(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return None
    title, kind = schema.get("title"), schema.get("type")
    if isinstance(title, str):
        return f"JSON '{title}'"
    return f"JSON {kind}" if isinstance(kind, str) else None
