"""Findings and dashboard: the marts as sentences, small tables and plots, in Markdown, HTML and a web application.

`queries` and `records` read, `sentences` and `tables` put numbers into words, `plots` draws, `findings` makes the
report, `render` fills the templates. Nothing in here knows Dagster; `plots`, `drawing` and `findings` load matplotlib.
"""
