"""What an answer tells of a video, and what it is filtered by: one mapped file for the library.

Rows are sorted by a hash of the id, in which a search of numbers finds 800 videos of a million in
half a millisecond; one of strings, in Python, took 30.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.indexes.files import IndexDamaged, write_arrow
from ml.indexes.sealed import read_sealed_arrow, seal
from ml.indexes.verified import Verify

FILE = "cards.arrow"
SCHEMA = pa.schema(
    [
        ("hash", pa.uint64()),
        ("video_id", pa.large_string()),
        ("title", pa.large_string()),
        ("uri", pa.large_string()),
        ("published_at", pa.timestamp("ms", tz="UTC")),
        ("duration_s", pa.float64()),
        # The earliest video of the group of copies that it belongs to; empty for none.
        ("original_id", pa.large_string()),
    ]
)


@dataclass(frozen=True)
class Card:
    """A video as an answer tells of it."""

    title: str
    uri: str
    published_at: datetime | None
    duration_s: float


class Cards:
    """Cards of the library's videos by id. Use `open`; the file is mapped, not read."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks()
        self._ids = self._table["video_id"]
        column = self._table["hash"]
        self._hashes = (
            column.chunk(0) if column.num_chunks else pa.array([], pa.uint64())
        ).to_numpy()

    @classmethod
    def open(cls, folder: Path, *, verify: Verify = True) -> Cards:
        """The cards in a folder.

        Args:
            folder: the one that `write_cards` was given.
            verify: compare the checksum; or only that of a file not known to be whole.

        Raises:
            IndexDamaged: there are none, or they can't be read.
        """
        table = read_sealed_arrow(folder / FILE, verify=verify)
        if not table.schema.equals(SCHEMA):
            raise IndexDamaged(folder, f"{FILE} has other columns than this version writes")
        return cls(table)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def of(self, video_ids: Sequence[str]) -> dict[str, Card]:
        """The cards of those of the videos that have one."""
        rows = self._rows(video_ids)
        columns = ["video_id", "title", "uri", "published_at", "duration_s"]
        found = self._table.select(columns).take(pa.array(rows)).to_pylist()
        return {row.pop("video_id"): Card(**row) for row in found}

    def groups(self, video_ids: Sequence[str]) -> dict[str, str]:
        """The original of each of the videos that is in a group of copies."""
        rows = self._rows(video_ids)
        found = self._table.select(["video_id", "original_id"]).take(pa.array(rows)).to_pylist()
        return {row["video_id"]: row["original_id"] for row in found if row["original_id"]}

    def since(self, moment: datetime) -> pa.Array:
        """Ids of the videos published at the moment or later; without a date a video is not."""
        published = self._table["published_at"]
        later = pc.greater_equal(published, pa.scalar(moment, published.type))
        return self._ids.filter(pc.fill_null(later, False)).combine_chunks()

    def _rows(self, video_ids: Sequence[str]) -> np.ndarray:
        """Rows of those of the videos that are here."""
        if not len(self) or not video_ids:
            return np.zeros(0, np.int64)
        wanted = _hashes(video_ids)
        rows = np.minimum(np.searchsorted(self._hashes, wanted), len(self) - 1)
        there = np.flatnonzero(self._hashes[rows] == wanted)
        # Two ids of one hash, of which only the first is found: 3 in 10^8 among a million.
        ids = self._ids.take(pa.array(rows[there])).to_pylist()
        same = [video_ids[at] == found for at, found in zip(there.tolist(), ids, strict=True)]
        return rows[there[same]]


def _hashes(video_ids: Sequence[str]) -> np.ndarray:
    """uint64 of each id."""
    digests = b"".join(blake2b(video.encode(), digest_size=8).digest() for video in video_ids)
    return np.frombuffer(digests, "<u8")


def write_cards(folder: Path, rows: pa.Table) -> bool:
    """Write the cards, in one move; whether they differ from those that were there.

    Args:
        folder: made when missing.
        rows: of `SCHEMA`'s columns less the hash, a row a video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = pa.array(_hashes(rows["video_id"].to_pylist()))
    table = rows.append_column("hash", hashes).select(SCHEMA.names).cast(SCHEMA)
    table = table.sort_by([("hash", "ascending"), ("video_id", "ascending")]).combine_chunks()
    fresh = folder / f"{FILE}.new"
    write_arrow(table, fresh)
    seal(fresh)
    path = folder / FILE
    if path.exists() and path.read_bytes() == fresh.read_bytes():
        fresh.unlink()
        return False
    fresh.replace(path)
    return True
