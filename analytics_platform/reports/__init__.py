"""Findings for people: the marts as sentences, small tables and plots, in Markdown and in one HTML file.

`queries` reads, `sentences` and `tables` put numbers into words, `plots` draws, `findings` puts a report
together, `markdown` and `html` write it down. Nothing in here knows Dagster; only `plots` needs matplotlib.
"""
