"""What Streamlit runs: the pages and their look. `analytics-platform dashboard` starts it."""

from __future__ import annotations

import streamlit as st

from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.views import channels, customers, overview, pipeline, products, quality


def main() -> None:
    """Draw the page that was chosen."""
    st.set_page_config("Analytics", layout="wide", initial_sidebar_state="collapsed")
    pages = [
        st.Page(overview.show, title="Overview", url_path="overview", default=True),
        st.Page(channels.show, title="Channels", url_path="channels"),
        st.Page(products.show, title="Products", url_path="products"),
        st.Page(customers.show, title="Customers", url_path="customers"),
        st.Page(quality.show, title="Data quality", url_path="quality"),
        st.Page(pipeline.show, title="Pipeline", url_path="pipeline"),
    ]
    page = st.navigation(pages, position="top")
    shell.style()
    st.title(page.title, anchor=False)
    page.run()


main()
