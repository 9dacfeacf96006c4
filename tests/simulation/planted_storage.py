"""The planted bugs of the storage, which take the real one to show."""

from __future__ import annotations

from tests.simulation.plant import Mutant

STORAGE = (
    Mutant(
        "a failed commit is taken for done",
        "rtour.storage.writer:Writer._transact",
        "return error",
        "return None",
        "sqlite",
    ),
    Mutant(
        "deletions of timers do not reach the file",
        "rtour.storage.batch:_delete_timer",
        "if change.timer.number > batch.base:",
        "if True:",
        "sqlite",
    ),
    Mutant(
        "an invocation is deleted only from memory",
        "rtour.storage.batch:_delete_invocation",
        "batch.forgotten.append(change.number)",
        "pass",
        "sqlite",
    ),
    Mutant(
        "a journal is dropped only from memory",
        "rtour.storage.batch:Batch.drop_journal",
        "self.journals[number] = JournalChanges(dropped=True)",
        "pass",
        "sqlite",
    ),
    Mutant(
        "the cache keeps the holder of a lock before",
        "rtour.storage.working:_remember_object",
        "if changes.lock is not UNSET:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "the cache believes a queue is empty still",
        "rtour.storage.working:_remember_object",
        "if changes.inbox:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "the cache keeps state as it was",
        "rtour.storage.working:_remember_object",
        "if changes.state or changes.state_cleared:",
        "if changes.state_cleared:",
        "sqlite",
    ),
    Mutant(
        "the cache learns only one entry of a batch",
        "rtour.storage.working:_remember_entries",
        "cached += entries",
        "cached += entries[:1]",
        "sqlite",
    ),
    Mutant(
        "freed locks stay in the file",
        "rtour.storage.plan:_objects",
        "freed.append(name)",
        "pass",
        "sqlite",
    ),
    Mutant(
        "queues are not written",
        "rtour.storage.plan:_inboxes",
        "yield PUT_INBOX, put",
        "yield PUT_INBOX, put[1:]",
        "sqlite",
    ),
    Mutant(
        "a restart finds all but the first of what ran",
        "rtour.storage.sqlite:SqliteStorage.running_after",
        "self._reader.running_after(number, limit)",
        "self._reader.running_after(number, limit)[number == 0:]",
        "sqlite",
    ),
    Mutant(
        "what a suspended invocation waits for is not written",
        "rtour.storage.rows:grown",
        "ABSENT if awaiting is None else futures.to_text(awaiting)",
        "ABSENT",
        "sqlite",
    ),
)

DAMAGE = (
    Mutant(
        "a change keeps the sum of another row",
        "rtour.storage.plan:_grown",
        "sums.of((invocation.number, *row))",
        "sums.of((0, *row))",
        "sqlite",
    ),
    Mutant(
        "reads believe what they find",
        "rtour.storage.reader:Reader._check",
        "if sums.of_read(*row[:-1]) != row[-1]:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "only what an invocation was born with is checked",
        "rtour.storage.reader:Reader._check_invocation",
        " or sums.of_read(row[0], *grown) != grown_sum",
        "",
        "sqlite",
    ),
    Mutant(
        "every damage to the log is taken for a power cut",
        "rtour.storage.opening:_look_at_log",
        "case Unread.COMMITS:",
        "case Unread.COMMITS if False:",
        "sqlite",
    ),
    Mutant(
        "a last commit that is dropped goes unsaid",
        "rtour.storage.logs:_judge",
        "else Unread.UNFINISHED",
        "else Unread.NOTHING",
        "sqlite",
    ),
    Mutant(
        "what SQLite finds wrong is not looked at",
        "rtour.storage.checking:_problems",
        'if answer != "ok":',
        "if False:",
        "sqlite",
    ),
)
