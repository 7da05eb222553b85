"""Batch lists that are not whole, and how they are made again.

A list is the truth of what videos a batch has, and nothing else holds all of it. What its datasets
say of them is enough to go on: their uris, versions, titles, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from assets.stores.addresses import UNREADABLE
from assets.stores.batches import Batch, BatchRegistry, ListDamaged, SourceVideo
from assets.stores.datasets import DatasetDamaged
from assets.stores.problems import Problem
from assets.stores.resources import Library
from ml.schemas import VIDEOS

_DOCTOR, _INGEST = "kadr doctor --mend", "kadr ingest SOURCE"
_ALIKE = ("video_id", "uri", "source_bytes", "published_at", "title", "description", "tags")


def list_problems(library: Library) -> Iterator[Problem]:
    """Lists, and notes beside them, that can't be read."""
    registry = library.batches
    for name in registry.names():
        try:
            registry.read(name)
        except ListDamaged as error:
            yield _problem(library, name, error)
    for folder in ("superseded", "licences"):
        for file in library.storage.scan(folder):
            if not _is_note(library.storage.read_bytes(file.key)):
                yield Problem(
                    "a note of what later listings said of a batch is damaged",
                    library.storage.url(file.key),
                    f"{_DOCTOR}, then {_INGEST}",
                    partial(library.storage.set_aside, file.key),
                )


def _problem(library: Library, name: str, error: ListDamaged) -> Problem:
    where = library.storage.url(f"batches/{name}.parquet")
    batch = _from_datasets(library, name)
    if batch is not None:
        what = (
            f"the list of batch {name} is damaged; its datasets tell its {len(batch.videos)} videos"
        )
        return Problem(what, where, _DOCTOR, partial(_write_again, library.batches, batch))
    what = (
        f"the list of batch {name} is damaged, and no dataset tells its videos: they are cut anew"
    )
    aside = partial(library.storage.set_aside, f"batches/{name}.parquet")
    return Problem(what, where, f"{_DOCTOR}, then {_INGEST}", aside)


def _from_datasets(library: Library, name: str) -> Batch | None:
    try:
        rows = library.datasets.table(VIDEOS, name).to_pylist()
    except DatasetDamaged:
        return None
    return Batch(name, tuple(map(_listed, rows))) if rows else None


def _listed(row: dict[str, Any]) -> SourceVideo:
    """A video as its source listed it. A web address that had no version has the one that was
    read, and so is decoded once more."""
    is_unreadable = row["source_version"] == UNREADABLE
    return SourceVideo(
        **{name: row[name] for name in _ALIKE},
        version=row["source_version"],
        problem=row["error"] if is_unreadable else "",
        licensed=True if row["licensed"] else None,
    )


def _write_again(registry: BatchRegistry, batch: Batch) -> None:
    registry.storage.set_aside(f"batches/{batch.name}.parquet")
    registry.write(batch)


def _is_note(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False
