"""Servers on loopback that the demo and the tests start."""
