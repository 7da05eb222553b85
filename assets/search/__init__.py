"""Indexes over the library, and the search that opens them."""
