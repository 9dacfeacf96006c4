"""What learners get wrong beyond the theatre's front desk: people, workflows, sagas, tests."""

from __future__ import annotations

from tests.tour.wrong_solutions import Wrong

ASK = """\
await ctx.run_typed(
        "ask the box office", email_client.ask_box_office, question=question, answer_to=answer_to
    )"""

BEYOND = (
    Wrong(
        "awakeables",
        "does not wait",
        "refund_service.py",
        "if await decision else",
        "if decision else",
        "makes it refused",
    ),
    Wrong(
        "awakeables",
        "asks outside a run",
        "refund_service.py",
        ASK,
        "email_client.ask_box_office(question, answer_to)",
        "the question is sent inside a run",
    ),
    Wrong(
        "awakeables",
        "turns the answer round",
        "refund_service.py",
        '"refunded" if await decision else "refused"',
        '"refused" if await decision else "refunded"',
        "makes it refunded",
    ),
    Wrong(
        "workflows",
        "does not wait",
        "membership_workflow.py",
        'await ctx.promise("code", type_hint=str).value()',
        "code",
        "it has ended already",
    ),
    Wrong(
        "workflows",
        "takes any code",
        "membership_workflow.py",
        "    if entered != code:",
        "    if False:",
        "with a wrong code fails",
    ),
    Wrong(
        "workflows",
        "keeps no status",
        "membership_workflow.py",
        '    ctx.set("status", "waiting for the code")\n',
        "",
        "status tells that it waits",
    ),
    Wrong(
        "sagas",
        "undoes nothing",
        "group_booking.py",
        "            await ctx.object_call(unreserve, key=ticket_id, arg=None)\n",
        "            pass\n",
        "is still reserved",
    ),
    Wrong(
        "sagas",
        "takes what it gets",
        "group_booking.py",
        '                raise TerminalError(f"{ticket_id} is taken.", status_code=409)\n',
        "                continue\n",
        "was taken, and book goes on all the same",
    ),
    Wrong(
        "sagas",
        "forgets to tell",
        "group_booking.py",
        "        raise\n",
        "        return False\n",
        "fails",
    ),
    Wrong(
        "sagas",
        "sells nothing",
        "group_booking.py",
        "        ctx.object_send(mark_as_sold, key=ticket_id, arg=None)",
        "        pass",
        "after two minutes the seats are sold",
    ),
    Wrong(
        "testing",
        "other names",
        "test_theatre.py",
        "test-",
        "mine-",
        "nobody has reserved a seat whose name begins with test-",
        run=True,
    ),
    Wrong(
        "testing",
        "one user twice",
        "test_theatre.py",
        "test-bob-",
        "test-ada-",
        "no seat of the tests was wanted by two users",
        run=True,
    ),
    Wrong(
        "testing",
        "two seats",
        "test_theatre.py",
        'f"test-bob-{self.mark}", seat',
        'f"test-bob-{self.mark}", f"{seat}-2"',
        "no seat of the tests was wanted by two users",
        run=True,
    ),
)
