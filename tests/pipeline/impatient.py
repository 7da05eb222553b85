"""Imported by a command's processes, which then give up on ClickHouse within a second or two: for
outages that last."""

from assets.stores import clickhouse

clickhouse.RECONNECT_S = tuple(pause_s / 10 for pause_s in clickhouse.RECONNECT_S)
