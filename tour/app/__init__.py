"""Where you work: handlers that answer, and do nothing yet."""
