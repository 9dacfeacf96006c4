"""The numbers of PostgreSQL's types, and their sizes in binary; other sizes vary."""

from __future__ import annotations

from typing import Final

BOOL: Final = 16
BYTEA: Final = 17
NAME: Final = 19
INT8: Final = 20
INT2: Final = 21
INT4: Final = 23
TEXT: Final = 25
OID: Final = 26
FLOAT4: Final = 700
FLOAT8: Final = 701
UNKNOWN: Final = 705
TEXT_ARRAY: Final = 1009
INT8_ARRAY: Final = 1016
FLOAT8_ARRAY: Final = 1022
OID_ARRAY: Final = 1028
DATE: Final = 1082
TIMESTAMP: Final = 1114
TIMESTAMPTZ: Final = 1184
INTERVAL: Final = 1186
NUMERIC: Final = 1700

SIZES: Final = {BOOL: 1, INT8: 8, FLOAT8: 8, TIMESTAMPTZ: 8, DATE: 4, INTERVAL: 16}
