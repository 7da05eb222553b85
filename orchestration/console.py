"""Progress on screen: the lines that steps write for people, and where they come from.

Dagster's default console logger prints every engine event; the event log in the UI has them all.
"""

from __future__ import annotations

import logging
import sys

import dagster as dg

from orchestration.screen import harmless


class _Format(logging.Formatter):
    """``12:34:56  2026-11-20-001  asr: 12 of 40 videos``."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def format(self, record: logging.LogRecord) -> str:
        text = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, '%H:%M:%S')}  {self._where}  {harmless(text)}"


def _console(context: dg.InitLoggerContext) -> logging.Logger:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format(context.logger_config["where"]))
    logger = logging.Logger("kadr", logging.INFO)
    logger.addHandler(handler)
    return logger


# The logger ``console`` of every job; ``where`` stands in front of each line.
console_logger = dg.LoggerDefinition(
    _console,
    config_schema={"where": dg.Field(str, default_value="", is_required=False)},
    description="A line for each of a step's own messages.",
)
