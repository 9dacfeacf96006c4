"""The pure state machine: a Record and a View go in, a Decision comes out.

It knows Restate's semantics and nothing of the world: no I/O, no clock, no randomness. Time comes
with the record, ids come with the command, reads go through the view.
"""
