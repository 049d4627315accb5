"""The screens, for tenants and for operations."""

import logging

# What is cached is named at import, before Streamlit runs: it would say so once for each, in every log and test.
logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(
    lambda record: not record.getMessage().startswith("No runtime found")
)
