"""What Streamlit runs: the pages and their look. `analytics-platform dashboard` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from analytics_platform.reports.dashboard.views import overview, pipeline, quality, sales

st.set_page_config("Analytics", layout="wide", initial_sidebar_state="collapsed")
page = st.navigation(
    [
        st.Page(overview.show, title="Overview", url_path="overview", default=True),
        st.Page(sales.show_channels, title="Channels", url_path="channels"),
        st.Page(sales.show_products, title="Products", url_path="products"),
        st.Page(sales.show_customers, title="Customers", url_path="customers"),
        st.Page(quality.show, title="Data quality", url_path="quality"),
        st.Page(pipeline.show, title="Pipeline", url_path="pipeline"),
    ],
    position="top",
)
for name in ("shared.css", "dashboard.css"):
    st.html(Path(__file__).parents[1] / "templates" / name)
st.title(page.title, anchor=False)
page.run()
