"""Part 5: the theatre and its extras: refunds, membership, group bookings."""
