"""Conformance: official SDK services, the official server as oracle, one suite for both servers."""
