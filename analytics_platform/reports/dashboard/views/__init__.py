"""The pages: functions that draw one each.

The folder must not be called `pages`: Streamlit shows the files of such a folder to whoever opens a page by its address
before anybody has opened the dashboard.
"""
