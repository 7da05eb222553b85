"""A pass over a file as tests look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ml.media.extract import Extracted, ExtractOptions, Source, extract
from ml.media.pictures import Picture
from ml.media.readers import open_media
from ml.media.sound import Sound
from ml.media.spool import SPOOLED, spooled


def run(path: Path | str, spool: Path) -> Extracted:
    """What the whole pass says of a file; its frames are there, and their durations add up."""
    found = extract(Source("v", str(path)), spool, ExtractOptions())
    frames = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    assert len(frames) == found.kept_frame_count >= 1
    assert sum(f["duration_s"] for f in frames) == pytest.approx(found.duration_s)
    return found


@contextmanager
def descriptor_of(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(path: Path, reader: str = "pyav") -> tuple[list[Picture], list[Sound], object]:
    """Every picture, every run of samples, and the reader."""
    with descriptor_of(path) as descriptor:
        media = open_media(descriptor, reader)
        events = list(media.events())
    pictures = [event for event in events if isinstance(event, Picture)]
    return pictures, [event for event in events if isinstance(event, Sound)], media


def pass_over(path: Path, **options: Any) -> tuple[Extracted, dict[str, list[dict[str, Any]]]]:
    """The media columns and all rows of one pass; each batch is checked against its schema."""
    spool = path.parent / f"{path.stem}-spool"
    spool.mkdir()
    found = extract(Source("v1", str(path)), spool, ExtractOptions(**options))
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, dataset in SPOOLED.items():
        batches = list(spooled(spool, name))
        for batch in batches:
            batch.validate(full=True)
            assert batch.schema.equals(dataset.schema, check_metadata=True)
            assert all(column.null_count == 0 for column in batch.columns)
        rows[name] = [row for batch in batches for row in batch.to_pylist()]
    return found, rows
