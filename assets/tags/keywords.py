"""The asset ``clickhouse/video_keywords``: words that set a video apart from the library.

How common a word is, is counted over at most 50,000 videos and then kept (``indexes/keywords``), so
that keywords of old videos stay as they are; it is counted anew when the library has doubled.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from assets.search.indexes import index_folder
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Tables
from assets.tables.by_batch import fill_batches
from assets.tags.inputs import SOURCES, fingerprint, texts_of
from ml.indexes.files import IndexDamaged
from ml.indexes.sealed import read_sealed, write_sealed
from ml.library_schemas import VIDEO_KEYWORDS
from ml.schemas import VIDEOS

if TYPE_CHECKING:
    from ml.tags.keywords import DocumentFrequencies

# The share of a word that one video in a hundred has is then known to 5 %.
_SAMPLE = 50_000
_GROWTH = 2
_KEYWORDS = 10
FOLDER, FREQUENCIES_FILE = "keywords", "frequencies.npz"
# Raise when the same texts would give other keywords.
VERSION = "1"


@dg.multi_asset(
    name="keywords",
    specs=[table_spec("video_keywords", VIDEO_KEYWORDS, "library", SOURCES)],
    op_tags=LIBRARY.op_tags,
    pool="keywords",
)
def keywords(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> dg.MaterializeResult:
    """Find the keywords of videos that are new or changed, or of all where words were recounted."""
    store, say = library.datasets, context.log.info
    say("keywords: looking for new videos")
    made = {b: key for b in library.batches.names() if (key := fingerprint(store, b))}
    with index_folder(library, FOLDER) as folder:
        df, counted = _frequencies(folder, store, list(made), is_forced(context), say)
    wanted = {batch: key_of(VERSION, counted, key) for batch, key in made.items()}
    report = fill_batches(
        tables, VIDEO_KEYWORDS, wanted, lambda batch: _rows(store, batch, df), say
    )
    say(f"keywords: {report.rows} rows, {report.unchanged} batches unchanged")
    return dg.MaterializeResult(
        asset_key=["clickhouse", VIDEO_KEYWORDS.name],
        metadata={
            **row_count(report.rows),
            "videos_counted": df.documents,
            "batches_made": report.made,
            "batches_unchanged": report.unchanged,
        },
    )


def _frequencies(
    folder: Path,
    store: DatasetStore,
    batches: list[str],
    forced: bool,
    say: Callable[[str], None],
) -> tuple["DocumentFrequencies", str]:
    """How common words are, and a fingerprint of it."""

    path = folder / FREQUENCIES_FILE
    kept = None if forced else _kept(path, say)
    made = sum(_decoded(store, batch) for batch in batches)
    if kept is None or _GROWTH * max(1, kept.documents) <= min(made, _SAMPLE):
        say("keywords: counting words")
        kept = _counted(store, batches)
        folder.mkdir(parents=True, exist_ok=True)
        data = kept.to_bytes()
        write_sealed(path, lambda partial: partial.write_bytes(data))
    return kept, key_of(str(kept.documents), kept.to_bytes().hex())


def _kept(path: Path, say: Callable[[str], None]) -> "DocumentFrequencies | None":
    """The frequencies of last time; a damaged file is as good as none."""
    try:
        return frequencies_in(path)
    except IndexDamaged as error:
        say(f"keywords: {error.found}; words are counted again")
        return None


def frequencies_in(path: Path) -> "DocumentFrequencies | None":
    """The frequencies in a file; None where there is none.

    Raises:
        IndexDamaged: it holds something else.
    """
    from ml.tags.keywords import DocumentFrequencies

    try:
        data = read_sealed(path).to_pybytes() if path.exists() else None
        return None if data is None else DocumentFrequencies.from_bytes(data)
    except ValueError as error:
        raise IndexDamaged(path.parent, f"{path.name}: {error}") from error


def _decoded(store: DatasetStore, batch: str) -> int:
    return store.table(VIDEOS, batch, ["status"]).column("status").to_pylist().count("ok")


def _counted(store: DatasetStore, batches: list[str]) -> "DocumentFrequencies":
    """The frequencies over whole batches, chosen by their names' hash, of enough videos."""
    from ml.tags.keywords import DocumentFrequencies, keyword_terms
    from ml.text.words import lemmatiser

    df, lemma = DocumentFrequencies(), lemmatiser()
    for batch in sorted(batches, key=key_of):
        if df.documents >= _SAMPLE:
            break
        texts, _ = texts_of(store, batch).documents()
        for channels in texts.values():
            df.add(keyword_terms(channels.values(), lemma))
    return df


def _rows(store: DatasetStore, batch: str, df: "DocumentFrequencies") -> pa.Table:
    from ml.tags.keywords import video_keywords

    texts, languages = texts_of(store, batch).documents()
    found = video_keywords(texts, languages, df, _KEYWORDS)
    rows = [
        {
            "video_id": video,
            "rank": rank,
            "keyword": word.text,
            "lemma": word.lemma,
            "weight": word.weight,
            "language": word.language,
        }
        for video, words in found.items()
        for rank, word in enumerate(words, 1)
    ]
    return pa.Table.from_pylist(rows, VIDEO_KEYWORDS.schema)
