"""Progress on screen: a step's own messages and what it materialised, a line each.

Dagster's default console logger prints every engine event; a person at a terminal wants the few
lines that say how far the work is. The event log in the UI still has everything.
"""

from __future__ import annotations

import logging
import sys

import dagster as dg

_ROW_COUNT = "dagster/row_count"


class _Format(logging.Formatter):
    """``12:34:56  2026-11-20-001  asr: 12 of 40 videos``."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        said = _materialised(meta.get("dagster_event")) or meta.get("orig_message")
        where = (meta.get("run_tags") or {}).get("dagster/partition", "library")
        text = said or record.getMessage()
        return f"{self.formatTime(record, '%H:%M:%S')}  {where}  {text}"


def _materialised(event: dg.DagsterEvent | None) -> str:
    if event is None or event.event_type != dg.DagsterEventType.ASSET_MATERIALIZATION:
        return ""
    made = event.step_materialization_data.materialization
    rows = made.metadata.get(_ROW_COUNT)
    return f"{made.asset_key.to_user_string()}: " + (f"{rows.value} rows" if rows else "done")


def _is_for_people(record: logging.LogRecord) -> bool:
    event = getattr(record, "dagster_meta", {}).get("dagster_event")
    return record.levelno >= logging.INFO or bool(_materialised(event))


def _console(_: dg.InitLoggerContext) -> logging.Logger:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    handler.addFilter(_is_for_people)
    logger = logging.Logger("kadr", logging.DEBUG)
    logger.addHandler(handler)
    return logger


# The logger ``console`` of every job.
console_logger = dg.LoggerDefinition(
    _console, description="A line for each step's own messages and for what was materialised."
)
