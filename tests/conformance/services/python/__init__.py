"""Services on the official Python SDK, served by hypercorn."""
