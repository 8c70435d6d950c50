"""Clients of the systems that raw data comes from. They know nothing of sources, contracts or the lake."""
