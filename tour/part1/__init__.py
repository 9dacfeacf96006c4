"""Part 1: handlers call each other and send messages."""
