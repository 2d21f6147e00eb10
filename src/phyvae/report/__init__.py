"""A result as one page for a browser, which needs no network."""
