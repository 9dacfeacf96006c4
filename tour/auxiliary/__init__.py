"""Stand-ins for what a theatre would buy: a payment provider and a mail service."""
