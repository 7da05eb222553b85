"""How things are computed: arrays and Arrow in, arrays and Arrow out.

Nothing here imports Dagster or ClickHouse, reads the environment, or knows where a dataset lies.
Importing this package imports no model library; each function imports the one it needs.
"""
