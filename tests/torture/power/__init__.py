"""The power goes: a whole machine, its kernel and its file system, above a disk that forgets.

The server runs in a virtual machine (`machine`), on a file system of the guest's kernel, on a disk
that is a program of ours (`nbd`, `disk`). That program knows every write and every flush, and in
which order clients, who are on this side, were answered. So it can tell what a disk may have kept
when the power went at any moment: all that was flushed, and of the rest whatever it likes.
"""
