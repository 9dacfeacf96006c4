"""The planted bugs of the storage, which take the real one to show."""

from __future__ import annotations

from tests.simulation.plant import Mutant

STORAGE = (
    Mutant(
        "a failed commit is taken for done",
        "rtour.storage.sqlite:SqliteStorage._append",
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
        "rtour.storage.remembering:_remember_object",
        "if changes.lock is not UNSET:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "the cache believes a queue is empty still",
        "rtour.storage.remembering:_remember_object",
        "if changes.inbox:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "the cache keeps state as it was",
        "rtour.storage.remembering:_remember_object",
        "if changes.state or changes.state_cleared:",
        "if changes.state_cleared:",
        "sqlite",
    ),
    Mutant(
        "the cache learns only one entry of a batch",
        "rtour.storage.remembering:_remember_entries",
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

WAITERS_STORED = (
    Mutant(
        "who waits is not written",
        "rtour.storage.plan:_waiters",
        "put.append(_summed(row))",
        "pass",
        "sqlite",
    ),
    Mutant(
        "who was told stays in the file",
        "rtour.storage.plan:_waiters",
        "deleted.append(row[:-1])",
        "pass",
        "sqlite",
    ),
    Mutant(
        "deletions of who waits do not reach the file",
        "rtour.storage.batch:_delete_waiter",
        "if change.number > batch.base:",
        "if True:",
        "sqlite",
    ),
    Mutant(
        "what is to be told is not written",
        "rtour.storage.plan:_waiters",
        "yield PUT_TELLING, begun",
        "yield PUT_TELLING, []",
        "sqlite",
    ),
    Mutant(
        "who waits is looked for in the newest changes and the file alone",
        "rtour.storage.working:WorkingSet.waiters",
        "for batch in reversed(self._layers):",
        "for batch in self._layers[:1]:",
        "sqlite",
    ),
    Mutant(
        "of those who wait only one page is read",
        "rtour.storage.reader:Reader.waiters",
        "if len(found) < page:",
        "if True:",
        "sqlite",
    ),
)

LEDGER = (
    Mutant(
        "a volume is written anew while it is needed",
        "rtour.storage.ledger.writing:Ledger._volume_to_write",
        " and not self.is_half_full",
        "",
        "sqlite",
    ),
    Mutant(
        "a restart leaves out what is in the ledger alone",
        "rtour.storage.replaying:replay",
        "if records:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "a volume is released before the database has it",
        "rtour.storage.carrying:Carrier._tidy",
        "sequence = self._working.ledgered.base",
        "sequence = self._working.open.sequence",
        "sqlite",
    ),
    Mutant(
        "a large commit leaves behind what was before it",
        "rtour.storage.carrying:Carrier.store_now",
        "plan(self._working.ledgered) + plan(flight)",
        "plan(flight)",
        "sqlite",
    ),
    Mutant(
        "what is carried over is carried again",
        "rtour.storage.working:WorkingSet.carried",
        "self.ledgered = Batch(self.ledgered.sequence)",
        "pass",
        "sqlite",
    ),
    Mutant(
        "timers that are deleted in the ledger alone are given",
        "rtour.storage.working:WorkingSet.timers_after",
        "if not self._is_changed(timer)",
        "if not self._is_changing(timer)",
        "sqlite",
    ),
    Mutant(
        "a waiting attempt is looked for in the database alone",
        "rtour.storage.working:WorkingSet.numbered",
        "if number > self.ledgered.base:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "the database hears only of a commit's first record",
        "rtour.storage.working:WorkingSet.settle",
        "for sequence, at, changes in sealed:",
        "for sequence, at, changes in sealed[:1]:",
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
        "a gap in the ledger goes unsaid",
        "rtour.storage.ledger.reading:Contents.behind",
        "if found.base != reached:",
        "if False:",
        "sqlite",
    ),
    Mutant(
        "a last commit that is dropped goes unsaid",
        "rtour.storage.ledger.reading:Volume._read",
        "self.is_unfinished |= is_broken",
        "pass",
        "sqlite",
    ),
    Mutant(
        "the ledger believes what it finds",
        "rtour.storage.ledger.pages:head",
        "crc32(content[at + _SUMMED_AT : behind], crc32(salt)) != total",
        "False",
        "sqlite",
    ),
    Mutant(
        "nobody notes that the database was synced",
        "rtour.storage.ledger.writing:Ledger.release",
        "self._write(pages.encode([]), sequence, sequence)",
        "self._volume",
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

READERS = (
    Mutant(
        "a ledger is begun anew before the log is synced",
        "rtour.storage.sqlite:SqliteStorage.__init__",
        "failure = self._writer.sync()",
        "failure = None",
        "sqlite",
    ),
    Mutant(
        "a ledger is retired before the log is synced",
        "rtour.storage.carrying:Carrier.close",
        "self._note(self._writer.sync())",
        "pass",
        "sqlite",
    ),
    Mutant(
        "a ledger is retired beside a log that is not folded in",
        "rtour.storage.sqlite:SqliteStorage._close",
        "if is_sound and not self._folder.has_log():",
        "if is_sound:",
        "sqlite",
    ),
)
