"""The assets ``lexical_index`` and ``clickhouse/search_vocabulary``: passages by their words.

The index is brought up to the batches as those of vectors are. The vocabulary is counted by the
database; a mapped copy (``indexes/vocabulary``) suggests and corrects without asking it.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

import sql
from assets.search.indexes import index_folder
from assets.search.mending import mended
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Tables
from assets.stores.seen import note_seen
from assets.tables.load import LoadReport, loaded, replace_table
from ml.library_schemas import SEARCH_VOCABULARY
from ml.schemas import PASSAGES

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.search.lexical_index import LexicalReport

LEXICAL, VOCABULARY = "lexical_index", "vocabulary"
VOCABULARY_FILE = "words.arrow"
# Raise when the same passages would give another vocabulary.
VERSION = "2"  # 2: with a checksum
_INDEXED = [name for name in PASSAGES.schema.names if name != "language"]


@dg.multi_asset(
    name="lexical",
    specs=[
        dg.AssetSpec(
            LEXICAL,
            deps=[PASSAGES.name],
            group_name="library",
            kinds={"tantivy"},
            description="Inverted index of all passages, by word, dictionary form and sound.",
        ),
        table_spec(
            SEARCH_VOCABULARY.name, SEARCH_VOCABULARY, "library", [["clickhouse", PASSAGES.name]]
        ),
    ],
    can_subset=True,
    op_tags=LIBRARY.op_tags,
    pool="lexical",
)
def lexical(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Bring the index up to the batches, then the vocabulary up to the table."""
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    if LEXICAL in wanted:
        yield _indexed(context, library)
    if SEARCH_VOCABULARY.name in wanted:
        yield _counted(context, library, tables)


def _indexed(context: dg.AssetExecutionContext, library: Library) -> dg.MaterializeResult:
    store, say = library.datasets, context.log.info
    seen = store.versions(PASSAGES.name)
    wanted = _fingerprints(store, library.batches.names())
    say(f"{LEXICAL}: {len(wanted)} batches")
    with index_folder(library, LEXICAL) as folder:
        report = _updated(folder, store, wanted, is_forced(context), context.log.warning)
        note_seen(folder, seen)
    say(f"{LEXICAL}: {report.count} passages, {report.unchanged} batches unchanged")
    return dg.MaterializeResult(
        asset_key=LEXICAL,
        metadata={
            **row_count(report.count),
            **{k: v for k, v in vars(report).items() if k != "count"},
        },
    )


def _fingerprints(store: DatasetStore, batches: list[str]) -> dict[str, str]:
    ledgers = {batch: store.ledger(PASSAGES.name, batch) for batch in batches}
    return {batch: ledger.fingerprint() for batch, ledger in ledgers.items() if ledger}


def _updated(
    folder: Path,
    store: DatasetStore,
    wanted: Mapping[str, str],
    forced: bool,
    warn: Callable[[str], None],
) -> "LexicalReport":
    from ml.search.lexical_index import update_lexical

    def read(batch: str) -> Iterator[pa.RecordBatch]:
        return store.rows(PASSAGES, batch, columns=_INDEXED)

    def update(rebuild: bool) -> "LexicalReport":
        return update_lexical(folder, wanted, read, rebuild=rebuild)

    return mended(folder, update, warn, anew=forced)


def _counted(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> dg.MaterializeResult:
    say = context.log.info
    say("search_vocabulary: counting words")
    seen = library.datasets.versions(PASSAGES.name)
    with index_folder(library, VOCABULARY) as folder:
        path = folder / VOCABULARY_FILE
        with tables.session("counting words", say) as client:
            report = _vocabulary(client, path, is_forced(context))
        note_seen(folder, seen)
    say(f"search_vocabulary: {report.rows} words" + ", unchanged" * report.skipped)
    return dg.MaterializeResult(
        asset_key=["clickhouse", SEARCH_VOCABULARY.name],
        metadata={**row_count(report.rows), "unchanged": report.skipped},
    )


def _vocabulary(client: "Client", path: Path, forced: bool) -> LoadReport:
    """Count the words and write table and file, unless both are of the passages there are."""
    from ml.search.vocabulary import most_used, write_vocabulary
    from ml.text.words import STOP_WORDS

    name = SEARCH_VOCABULARY.name
    fingerprint = _state(client)
    held = loaded(client, name)
    of_table = held.fingerprint if held else ""
    if held and of_table == _fingerprint_of(path) == fingerprint and not forced:
        return LoadReport(held.rows, 0.0, skipped=True)
    asked = {"stop": sorted(STOP_WORDS)}
    words = most_used(client.query_arrow(sql.statement("load/count_words"), parameters=asked))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_vocabulary(words, path, fingerprint)
    return replace_table(client, name, words.to_batches(), fingerprint)


def _fingerprint_of(path: Path) -> str:
    """Of the passages that the file was made from; empty where there is none, or a damaged one."""
    from ml.indexes.files import IndexDamaged
    from ml.search.vocabulary import Vocabulary

    try:
        return Vocabulary.open(path).made_from
    except IndexDamaged:
        return ""


def _state(client: "Client") -> str:
    """What changes with the passages in the table."""
    rows = client.query(
        sql.statement("load/loaded_state"), parameters={"tables": [PASSAGES.name]}
    ).result_rows
    return key_of(VERSION, *(f"{batch}={fingerprint}" for _, batch, fingerprint in rows))
