"""Tests of the protocol room: bytes, messages and manifests."""
