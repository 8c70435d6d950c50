"""The demo, and the real servers it and the tests start by themselves."""
