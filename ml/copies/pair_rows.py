"""Pairs of copies from rows: those of a truth file are known, those of the table were found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml.schemas import VERDICTS

TRUTH_COLUMNS = (
    "copy_id", "original_id", "kind", "copy_start_s", "copy_end_s", "original_start_s",
    "original_end_s", "expected_verdict",
)  # fmt: skip

Pair = tuple[str, str]
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class KnownPair:
    """A pair of the truth, with its stretches in both videos' seconds."""

    copy_id: str
    original_id: str
    kind: str
    verdict: str
    copy_spans: tuple[tuple[float, float], ...]
    original_spans: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FoundPair:
    """A pair of the table, with its segments in both videos' seconds."""

    copy_id: str
    original_id: str
    verdict: str
    score: float
    copy_spans: tuple[tuple[float, float], ...]
    original_spans: tuple[tuple[float, float], ...]


def known_pairs(rows: Iterable[Mapping[str, str]]) -> list[KnownPair]:
    """Pairs from the rows of a truth file (`TRUTH_COLUMNS`), stretches of a pair put together.

    Raises ValueError for a column that is missing, a time that is no number, or a verdict that is
    unknown, naming the row.
    """
    gathered: dict[Pair, list[Mapping[str, str]]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        _check_row(row, number)
        gathered[row["copy_id"], row["original_id"]].append(row)
    return [_known(pair, own) for pair, own in gathered.items()]


def _check_row(row: Mapping[str, str], number: int) -> None:
    lacking = [name for name in TRUTH_COLUMNS if row.get(name) in (None, "")]
    if lacking:
        raise ValueError(f"line {number}: no value in column {lacking[0]}")
    if row["expected_verdict"] not in VERDICTS:
        raise ValueError(
            f"line {number}: expected_verdict is {row['expected_verdict']!r}, "
            f"not one of {', '.join(VERDICTS)}"
        )
    for name in TRUTH_COLUMNS[3:7]:
        try:
            float(row[name])
        except ValueError:
            raise ValueError(f"line {number}: {name} is {row[name]!r}, not seconds") from None


def _known(pair: Pair, rows: Sequence[Mapping[str, str]]) -> KnownPair:
    spans = [
        tuple((float(row[f"{side}_start_s"]), float(row[f"{side}_end_s"])) for row in rows)
        for side in ("copy", "original")
    ]
    first = rows[0]
    return KnownPair(*pair, first["kind"], first["expected_verdict"], spans[0], spans[1])


def found_pairs(rows: Iterable[Mapping[str, Any]]) -> list[FoundPair]:
    """Pairs from rows with the columns of ``duplicate_pairs``."""
    return [
        FoundPair(
            str(row["copy_id"]),
            str(row["original_id"]),
            str(row["verdict"]),
            float(row["score"]),
            tuple(zip(row["copy_starts_s"], row["copy_ends_s"], strict=True)),
            tuple(zip(row["original_starts_s"], row["original_ends_s"], strict=True)),
        )
        for row in rows
    ]
