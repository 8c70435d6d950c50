"""How fast the platform is, next to what it could be: run as `python -m benchmarks.gate`."""
