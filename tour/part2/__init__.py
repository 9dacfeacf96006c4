"""Part 2: reservations expire, by a call that is made later."""
