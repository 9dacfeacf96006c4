"""Named scenarios over HTTP only; each says what a client does, and notes what it sees."""
