"""Which files an index was made from, so that a search can tell when it is behind them.

One listing of the datasets tells; ledgers, which say more, stand in a footer of every file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

_FILE = "seen.json"


def note_seen(folder: Path, versions: Mapping[str, str]) -> None:
    """Keep, beside an index, the versions of the batches' files it was brought up to."""
    if folder.exists() and read_seen(folder) != dict(versions):
        fresh = folder / f"{_FILE}.new"
        fresh.write_text(json.dumps(dict(versions), sort_keys=True), encoding="utf-8")
        fresh.replace(folder / _FILE)


def read_seen(folder: Path) -> dict[str, str] | None:
    """What was kept; None where nothing was, or nothing that can be read."""
    try:
        return dict(json.loads((folder / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
