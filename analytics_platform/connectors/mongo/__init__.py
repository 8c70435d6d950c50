"""Interaction logs from a MongoDB collection, and from the files that mongodump and mongoexport write."""
