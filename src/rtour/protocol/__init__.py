"""Restate's service protocol (V5 to V7) as values and bytes: no I/O, no clock, no randomness."""
