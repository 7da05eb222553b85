"""Whether what Dagster calls finished is really there: files whole, tables made from them.

A disk loses the end of a file, a folder is copied while it is written to, a back-up is older than
Dagster's database: its records then speak of what is not there, and nothing would ever be done
about it. Records are therefore held against the files before every ingestion. That has to be cheap
for a hundred thousand batches: one listing, one query, and a look into the batches whose files or
tables are not as they were when somebody last looked (``whole.json`` beside the local state).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import dagster as dg

import sql
from assets.stores.batches import ListDamaged
from assets.stores.clickhouse import ClickHouse
from assets.stores.datasets import DatasetDamaged
from assets.stores.problems import Problem
from assets.stores.resources import Library, Tables
from assets.stores.storage import Storage
from assets.tables.batch_tables import BY_BATCH, load_of
from ml.schemas import AUDIO, FRAMES, MOTION, VIDEOS

_NOTE = "whole.json"
_READERS = 16
_INGEST = "kadr ingest SOURCE"
Say = Callable[[str], None]
Files = Mapping[str, str]  # key to etag
# Table and batch to what the rows were made from; empty where rows are missing.
Held = Mapping[tuple[str, str], str]
# What every batch has, whatever the models: a folder that was restored may lack one of them.
_DECODED = {dataset.name for dataset in (VIDEOS, FRAMES, MOTION, AUDIO)}
_TABLES = "tables/"  # before a table's name, where it stands among the files of a batch


def lost(library: Library, tables: Tables, finished: Sequence[str], say: Say) -> dict[str, str]:
    """Those of the finished batches whose files or tables are not what they were, and why."""
    held, noted = _held(tables, say), _noted(library)
    files = _with_tables(_files(library.storage), held)
    look = partial(_why_lost, library, held)
    with ThreadPoolExecutor(_READERS) as readers:
        had = (
            (files.get(batch, {}) for batch in finished),
            (noted.get(batch, {}) for batch in finished),
        )
        reasons = dict(zip(finished, readers.map(look, finished, *had), strict=True))
    _note(library, {b: files[b] for b in finished if not reasons[b]})
    return {batch: why for batch, why in reasons.items() if why}


def _files(storage: Storage) -> Mapping[str, Files]:
    """The files of every batch, from one listing."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in ("batches", "datasets"):
        for file in storage.scan(folder):
            if file.key.endswith(".parquet"):
                found[Path(file.key).stem][file.key] = file.etag
    return found


def _held(tables: Tables, say: Say) -> Held:
    directory = ClickHouse(tables.url).directory
    if directory and not directory.exists():
        return {}
    names = {"tables": [table.name for table in BY_BATCH]}
    with tables.session("looking for what was lost", say) as client:
        rows = client.query(sql.statement("load/standing"), parameters=names).result_rows
    return {(str(t), str(batch)): str(made) if whole else "" for t, batch, made, whole in rows}


def _with_tables(files: Mapping[str, Files], held: Held) -> dict[str, Files]:
    """What the tables hold of each batch stands among its files, and so is noted with them: an
    older ClickHouse is noticed like an older file."""
    of_tables: dict[str, dict[str, str]] = defaultdict(dict)
    for (table, batch), made in held.items():
        of_tables[batch][_TABLES + table] = made
    return {batch: {**files.get(batch, {}), **of_tables[batch]} for batch in {*files, *of_tables}}


def _why_lost(library: Library, held: Held, batch: str, files: Files, noted: Files) -> str:
    if (VIDEOS.name, batch) not in held:
        return "the tables hold nothing of it"
    if gone := sorted(noted.keys() - files.keys()):
        return _is_gone(library, gone[0])
    there = {Path(key).parent.name for key in files}
    if missing := sorted(_DECODED - there):
        return f"the dataset {missing[0]} is missing"
    if short := [t.name for t in BY_BATCH if held.get((t.name, batch)) == ""]:
        return f"the table {short[0]} does not hold all rows that were loaded"
    if files == noted:
        return ""
    try:
        changed = [key for key, etag in files.items() if noted.get(key) != etag]
        return _look_into(library, batch, changed) or _made_otherwise(library, held, batch)
    except DatasetDamaged as error:
        return str(error)


def _is_gone(library: Library, key: str) -> str:
    if key.startswith(_TABLES):
        return f"the table {key.removeprefix(_TABLES)} holds nothing of it any more"
    return f"{library.storage.url(key)} is gone"


def _look_into(library: Library, batch: str, changed: Sequence[str]) -> str:
    """Look at the end of each file, and whether the batch's list is that of its videos: one of the
    same name may have been cut anew."""
    store = library.datasets
    for name in (Path(key).parent.name for key in changed if key.startswith("datasets/")):
        store.ledger(name, batch)
    rows = store.rows(VIDEOS, batch, columns=["video_id"])
    decoded = [video for part in rows for video in part.column("video_id").to_pylist()]
    listed = library.batches.table(batch).column("video_id").to_pylist()
    return "" if decoded == listed else "its datasets are of other videos than its list"


def _made_otherwise(library: Library, held: Held, batch: str) -> str:
    """A table whose rows were made from something else than the batch's files. One that holds
    nothing may be newer than the batch, and is for people to fill (assets/source/health.py)."""
    for table in BY_BATCH:
        made = held.get((table.name, batch))
        try:
            if made and made != load_of(library.datasets, table, batch).fingerprint:
                return f"the table {table.name} was made from other files than there are"
        except dg.Failure as error:  # a dataset is missing
            return str(error.description)
    return ""


def _noted(library: Library) -> dict[str, Files]:
    try:
        return dict(json.loads(_note_path(library).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # then every file is looked into
        return {}


def _note(library: Library, whole: Mapping[str, Files]) -> None:
    if whole != _noted(library):
        path = _note_path(library)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(whole, sort_keys=True), encoding="utf-8")
        fresh.replace(path)


def _note_path(library: Library) -> Path:
    return Path(library.state) / _NOTE


# For `kadr doctor` --------------------------------------------------------------------------------


def dataset_problems(library: Library, *, deep: bool = False) -> Iterator[Problem]:
    """Files of datasets that are not whole; ``deep`` reads all of each and compares its checksums.

    A damaged one is moved aside: the next ingestion finds that it is gone and makes it again.
    """
    for files in _files(library.storage).values():
        for key in files:
            name, batch = Path(key).parent.name, Path(key).stem
            if name == "batches":
                continue
            try:
                library.datasets.ledger(name, batch)
                if deep:
                    library.datasets.read_through(name, batch)
            except DatasetDamaged as error:
                mend = partial(library.storage.set_aside, key)
                yield Problem(str(error), library.storage.url(key), _INGEST, mend)


def table_problems(library: Library, tables: Tables, batches: Sequence[str]) -> Iterator[Problem]:
    """Batches whose rows were made from other files than there are; each is loaded again by the
    next ingestion."""
    held, noted = _held(tables, lambda _: None), _noted(library)
    files = _with_tables(_files(library.storage), held)
    for batch in batches:
        # Only what is gone is told by the note: all that is there is looked into.
        had = dict.fromkeys(noted.get(batch, {}), "")
        try:
            why = _why_lost(library, held, batch, files.get(batch, {}), had)
        except ListDamaged:
            continue  # told of by itself
        if why:
            yield Problem(f"batch {batch}: {why}", f"batch {batch}", _INGEST)
