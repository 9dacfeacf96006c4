"""Tests of the outgoing HTTP side, against peers on loopback sockets."""
