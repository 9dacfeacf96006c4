"""What no log, error or span may show: credentials, wherever in a text they stand.

Nothing of ours is meant to write credentials down. But texts come from elsewhere as well: the
`repr` of a command with a client's headers, an address with a password in it, what a service says
went wrong. So what goes out as text goes through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "[redacted]"
HEADERS: Final = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"),
        *("x-restate-jwt-v1", "x-restate-signature", "x-amz-security-token"),
    }
)
# Patterns are compiled when the first text comes, which to most commands is never.
# Scheme and credentials, as they stand in a header; the words alone are prose.
_CREDENTIALS: Final = r"\b((?:[Bb]earer|Basic)\s+)[A-Za-z0-9+/._~-]{8,}=*"
_JWT: Final = r"\beyJ[\w-]{1,300}\.[\w-]+\.[\w-]*"
_USER: Final = r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^/\s'\"?#]*@"
_QUERY: Final = (
    r"(?i)([?&;](?:access_token|api[-_]?key|auth|credential|key|password|passwd|pwd|secret|sig"
    r"|signature|token|x-amz-signature|x-amz-security-token)=)[^&;#\s'\"]+"
)
# Of a header's name the quote that ends it, what parts it from its value, and the value: quoted,
# perhaps cut off before its last quote, or else the rest of the line.
_VALUE: Final = (
    r"(?P<before>(?:\\?['\"])?\s*"
    r"(?:[:=]\s*|,\s*(?=(?:value\s*=\s*)?b?\\?['\"]))(?:value\s*=\s*)?(?:b(?=\\?['\"]))?)"
    r"(?P<value>\\\"[^\"]*(?:\"|$)|'(?:[^'\\]|\\.)*(?:'|$)|\"(?:[^\"\\]|\\.)*(?:\"|$)|[^\s'\"][^\r\n]*)"
)


class Redactor:
    """Takes credentials out of texts; `headers` are further names whose values are some."""

    def __init__(self, headers: Iterable[str] = ()) -> None:
        names = sorted(HEADERS | {name.lower() for name in headers}, key=len, reverse=True)
        self._fields = rf"(?i)\b(?P<name>{'|'.join(map(re.escape, names))}){_VALUE}"

    def __call__(self, text: str) -> str:
        """The text, with a mask for every credential."""
        text = re.sub(self._fields, _masked, text)
        text = re.sub(_CREDENTIALS, rf"\1{MASK}", text)
        text = re.sub(_JWT, MASK, text)
        text = re.sub(_USER, rf"\1{MASK}@", text)
        return re.sub(_QUERY, rf"\1{MASK}", text)


redact: Final = Redactor()


def _masked(match: re.Match[str]) -> str:
    value = match["value"]
    quote = '\\"' if value.startswith('\\"') else value[0] if value[0] in "'\"" else ""
    return f"{match['name']}{match['before']}{quote}{MASK}{quote}"
