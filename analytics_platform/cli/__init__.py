"""The commands of `analytics-platform`, and what they print."""
