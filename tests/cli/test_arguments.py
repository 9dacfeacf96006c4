"""Words on the command line become what they mean, or a message that says what was expected."""

from __future__ import annotations

import json

import pytest

from rtour.cli.diagnostics import CliError, Misuse
from rtour.cli.json_patch import patched
from rtour.cli.registering import absolute
from rtour.cli.selecting import ids_in, select
from rtour.cli.sql_shell import completions
from tests.cli.fake_server import NEW_ID, FakeServer
from tests.cli.terminal import Terminal

ONE, TWO = "inv_1aaaaaaaaaaa0000000000000000000000", "inv_1bbbbbbbbbbb0000000000000000000000"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("9080", "http://localhost:9080/"),
        (":9080", "http://localhost:9080/"),
        ("localhost:9080", "http://localhost:9080/"),
        ("http://h:1", "http://h:1/"),
        ("https://h/path", "https://h/path"),
    ],
)
def test_addresses_may_be_short(given: str, url: str) -> None:
    """A port or host:port is enough of an address."""
    assert absolute(given) == url


@pytest.mark.parametrize("given", ["", "ftp://h", "http://", "http://a b"])
def test_nonsense_is_no_address(given: str) -> None:
    """What cannot be a service's URL is refused before anything is sent."""
    with pytest.raises(Misuse):
        absolute(given)


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}\n{TWO}\n",
        f"ID  TARGET\n{ONE}  S/h\n{TWO}  S/h\n",
        json.dumps(
            [{"id": ONE, "invoked_by_id": "inv_1ccccccccccc0000000000000000000000"}, {"id": TWO}]
        ),
        f'{{"id": "{ONE}"}}\n{{"id": "{TWO}"}}\n',
        f"{ONE}\tS/h\trunning\n{TWO}\tS/h\trunning\n{ONE}\n",
    ],
)
def test_ids_are_read_from_what_list_prints(text: str) -> None:
    """Plain ids, tables, JSON and JSON lines; callers' ids are not taken for the invocations'."""
    assert ids_in(text) == [ONE, TWO]


def test_listing_pipes_into_operating(server: FakeServer, terminal: Terminal) -> None:
    """`inv ls -o jsonl | inv kill -` kills exactly what was listed."""
    for form in ("jsonl", "json", "table", "text"):
        listed = terminal.run("inv", "ls", "--status", "suspended", "-o", form).out
        result = terminal.run("inv", "kill", "-", "--yes", "-o", "json", stdin=listed)
        assert result.code == 0
        assert sorted(r["id"] for r in json.loads(result.out)) == sorted(server.ids("suspended"))


def test_nothing_on_stdin_is_misuse(terminal: Terminal) -> None:
    """An empty pipe must not become "all"."""
    assert terminal.run("inv", "kill", "-", "--yes", stdin="").code == 2


def test_targets_become_exact_conditions() -> None:
    """Names are compared exactly, and quotes cannot end a literal."""
    assert select(["S"]).condition == "(inv.target_service_name = 'S')"
    assert "inv.target_service_key = 'a/b'" in select(["O/a/b/h"]).condition
    assert "'O''Brien'" in select(["O'Brien"]).condition


def test_body_comes_from_file_or_stdin(server: FakeServer, terminal: Terminal) -> None:
    """`@file` and `-` stand for a payload wherever one is taken."""
    (terminal.home / "in.json").write_text('"Ada"')
    for words, stdin in ((["@in.json"], ""), (["-"], '"Ada"')):
        assert terminal.run("call", "Greeter/greet", *words, stdin=stdin).code == 0
    assert server.sent("POST", "/Greeter/greet") == ["Ada", "Ada"]


def test_key_is_percent_encoded(server: FakeServer, terminal: Terminal) -> None:
    """A key may hold slashes and spaces: the last segment is the handler."""
    terminal.run("call", "CartObject/a/b c/addTicket", '"x"')
    path = server.requests[-1].url.raw_path.decode()
    assert path == "/CartObject/a%2Fb%20c/addTicket"


def test_headers_and_idempotency_key_are_sent(server: FakeServer, terminal: Terminal) -> None:
    """Both spellings of a header work."""
    words = ["-H", "x-one=1", "-H", "x-two: 2", "--idempotency-key", "k1"]
    assert terminal.run("call", "Greeter/greet", '"x"', *words).code == 0
    headers = server.requests[-1].headers
    assert (headers["x-one"], headers["x-two"], headers["idempotency-key"]) == ("1", "2", "k1")


def test_send_answers_the_id(server: FakeServer, terminal: Terminal) -> None:
    """`-o text --columns` makes the id usable in a script."""
    words = ["send", "Greeter/greet", '"x"', "-o", "text", "--columns", "invocation-id"]
    assert terminal.run(*words).out == f"{NEW_ID}\n"


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2], "b/c": 0}),
        ([{"op": "add", "path": "/a/0", "value": 2}], {"a": [2, 1], "b/c": 0}),
        ([{"op": "remove", "path": "/b~1c"}], {"a": [1]}),
        ([{"op": "replace", "path": "/a", "value": None}], {"a": None, "b/c": 0}),
        ([{"op": "move", "from": "/a", "path": "/z"}], {"z": [1], "b/c": 0}),
        ([{"op": "copy", "from": "/a/0", "path": "/a/1"}], {"a": [1, 1], "b/c": 0}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1], "b/c": 0}),
    ],
)
def test_json_patch(operations: list[dict[str, object]], after: object) -> None:
    """RFC 6902, operation by operation; the original is left alone."""
    before = {"a": [1], "b/c": 0}
    assert patched(before, operations) == after
    assert before == {"a": [1], "b/c": 0}


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add"},
        [{"op": "fly", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/a/7", "value": 1}],
        [{"op": "remove", "path": "/nope"}],
        [{"op": "test", "path": "/a/0", "value": 2}],
        [{"op": "replace", "path": "/nope", "value": 1}],
    ],
)
def test_bad_json_patch_is_refused(operations: object) -> None:
    """A patch that does not fit changes nothing."""
    with pytest.raises(CliError):
        patched({"a": [1]}, operations)


def test_sql_shell_completes_tables_then_their_columns() -> None:
    """Words fit where they stand: tables anywhere, columns of the tables named."""
    tables = {"state": ["key", "value"], "sys_service": ["name", "ty"]}
    assert completions(tables, "select * from s", "s") == ["SELECT", "state", "sys_service"]
    assert completions(tables, "select k from state", "k") == ["key"]
    assert completions(tables, "select s.v from state s", "s.v") == ["s.value"]
