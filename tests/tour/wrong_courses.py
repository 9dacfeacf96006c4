"""What learners do wrong where more than one change, or none, is asked: a course of steps."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Put(NamedTuple):
    """The solution of a lesson (none: the skeleton); `old` becomes `new` in `file`, if given."""

    lesson: str
    file: str = ""
    old: str = ""
    new: str = ""


class Until(Enum):
    """What a learner would wait for, looking at the list of invocations."""

    FAILED_TWICE = "one has failed more than once"
    ALL_DONE = "none runs"


class Course(NamedTuple):
    """After the steps, the lesson's verdict says `cause`. Steps that are texts are commands."""

    lesson: str
    name: str
    steps: tuple[Put | Until | str, ...]
    cause: str


REGISTER = "rtour deployments register localhost:9080 --yes"
ADD = "curl localhost:8080/CartObject/{}/addTicket {} --json '\"seat2B\"'"
SEND = "rtour send CartObject/Mary/addTicket '\"seat2B\"'"
HANDLE = (
    "curl localhost:8080/CheckoutService/handle "
    """--json '{"user_id": "Mary", "tickets": ["seat2B"]}'"""
)
KILL = "rtour invocations cancel --kill {} --yes"
FAIL, WHOLE = Put("durable-execution"), Put("debugging")
BREAK, MENDED = Put("changing-code"), Put("workflows")
SIGN_UP = "rtour send MembershipWorkflow/{}/run '\"zoe@example.com\"'"
CONFIRM = "rtour call MembershipWorkflow/{}/confirm '\"000000\"'"
SLEEP = "await ctx.sleep(__import__('datetime').timedelta(seconds=1))"
TOO_LATE = Put(
    "workflows",
    "membership_workflow.py",
    "    if entered != code:",
    f"    {SLEEP}\n    if entered != code:",
)

FIRST_STEPS = (
    Course("getting-started", "registers nothing", (), "it knows no service at all"),
    Course(
        "getting-started",
        "registers the engine itself",
        ("rtour deployments register localhost:8080 --yes",),
        "it knows no service at all",
    ),
    Course(
        "getting-started",
        "leaves a service out",
        (Put("", "app.py", "cart, ticket, ", "cart, "), REGISTER),
        "is TicketObject in the list in app.py?",
    ),
)

COURSES = (
    Course(
        "invoking-over-http",
        "forgets the inner quotes",
        ("curl localhost:8080/CartObject/Mary/addTicket --json 'seat2B'",),
        "Unable to parse",
    ),
    Course(
        "invoking-over-http",
        "asks another's cart",
        (ADD.format("mary", ""),),
        "only CartObject/mary/addTicket was called",
    ),
    Course(
        "invoking-over-http",
        "forgets the key",
        ("curl localhost:8080/CartObject/addTicket --json '\"seat2B\"'",),
        "no such request has reached the engine",
    ),
    Course(
        "invoking-over-http",
        "asks the app instead of the engine",
        ("curl localhost:9080/CartObject/Mary/addTicket --json '\"seat2B\"'",),
        "no such request has reached the engine",
    ),
    Course(
        "debugging",
        "mends it first",
        (FAIL, SEND, Until.FAILED_TWICE, WHOLE, Until.ALL_DONE),
        "the code was mended before it was ended",
    ),
    Course(
        "debugging",
        "cancels only",
        (FAIL, SEND, Until.FAILED_TWICE, "rtour invocations cancel CartObject --yes"),
        "fails before it gets to hear it: kill it",
    ),
    Course(
        "debugging",
        "ends nothing",
        (FAIL, SEND, Until.FAILED_TWICE),
        "is still tried again and again: ",
    ),
    Course(
        "debugging",
        "leaves the failure in",
        (FAIL, SEND, Until.FAILED_TWICE, KILL.format("CartObject")),
        "Take the raise out of add_ticket",
    ),
    Course(
        "objects-and-services",
        "lets carts do it",
        (ADD.format("Mary", ""), "curl -X POST localhost:8080/CartObject/Mary/checkout"),
        "so far only carts have called it",
    ),
    Course(
        "objects-and-services",
        "gives a plain service a key",
        (HANDLE.replace("/handle", "/Mary/handle"),),
        "A plain service has no key",
    ),
    Course(
        "objects-and-services",
        "forgets Joe",
        (HANDLE, ADD.format("Mary", "")),
        "CartObject/Joe/addTicket was never called",
    ),
    Course("inspecting-state", "does nothing", (), "CartObject/Nina has not written any state"),
    Course(
        "inspecting-state",
        "fills another's cart",
        (ADD.format("nina", ""),),
        "CartObject/nina has, but that is another cart",
    ),
    Course(
        "inspecting-state",
        "asks for a seat that is taken",
        (ADD.format("Joe", ""), ADD.format("Nina", "")),
        "Nina was refused her seat",
    ),
    Course(
        "idempotent-requests",
        "gives no key",
        (ADD.format("Mary", ""), ADD.format("Mary", "")),
        "no request has carried one",
    ),
    Course(
        "idempotent-requests",
        "calls the header otherwise",
        (ADD.format("Mary", "-H 'idempotency: 7f3c'"),),
        "It is a header: -H 'idempotency-key: …'",
    ),
    Course(
        "idempotent-requests",
        "puts the key into the address",
        (ADD.format("Mary", "").replace("addTicket", "addTicket?idempotency-key=7f3c"),),
        "It is a header: -H 'idempotency-key: …'",
    ),
    Course(
        "tracing",
        "sends no header",
        (ADD.format("Mary", ""),),
        "none of the requests has one",
    ),
    Course(
        "tracing",
        "cuts the trace's id short",
        (ADD.format("Mary", "-H 'traceparent: 00-4bf92f3577b34da6-00f067aa0ba902b7-01'"),),
        "00-<32 hex digits>-<16 hex digits>-01",
    ),
    Course(
        "tracing",
        "calls the header otherwise",
        (ADD.format("Mary", "-H 'trace-id: 4bf92f3577b34da6a3ce929d0e0e4736'"),),
        "The header is traceparent",
    ),
    Course(
        "changing-code",
        "puts the step behind all others",
        (MENDED, SIGN_UP.format("Zoe1"), TOO_LATE, CONFIRM.format("Zoe1"), Until.ALL_DONE),
        "slept, but not where its journal has another step",
    ),
    Course(
        "changing-code",
        "changes before it has begun",
        (BREAK, SIGN_UP.format("Zoe2"), CONFIRM.format("Zoe2"), Until.ALL_DONE),
        "once it has begun",
    ),
    Course(
        "changing-code",
        "does not wake it",
        (MENDED, SIGN_UP.format("Zoe3"), BREAK),
        "Zoe3/run still waits: it has not met the new code",
    ),
    Course(
        "changing-code",
        "ends it",
        (
            MENDED,
            SIGN_UP.format("Zoe4"),
            BREAK,
            CONFIRM.format("Zoe4"),
            Until.FAILED_TWICE,
            KILL.format("MembershipWorkflow"),
            MENDED,
        ),
        "was ended by hand",
    ),
)
