"""The ledger: what makes a commit durable, before the database has it.

A commit is one write and one sync: the changes of its records, as they came, behind the last
commit's. The database gets them a little later, many commits in one transaction that nobody waits
for. So a commit costs the disk a page or two, and an invocation that lives only for a moment is
written to the database once.

Two volumes, files beside the database, are written in turn, each from its front. A volume may be
written anew when the database has all that is in it, and is synced. After a crash the database is
some commits behind; the ledger has them (`reading`).
"""
