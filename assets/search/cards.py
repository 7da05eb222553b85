"""The asset ``search_cards``: titles, dates and groups of copies, in a file that search maps.

With it a search asks no table, so it waits for no ingestion that holds the embedded engine.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import dagster as dg

import sql
from assets.search.indexes import index_folder
from assets.stores.catalog import row_count
from assets.stores.needs import SMALL
from assets.stores.resources import Library, Tables
from assets.stores.seen import note_seen
from ml.schemas import VIDEOS

FOLDER = "search_cards"


@dg.asset(
    name=FOLDER,
    deps=[["clickhouse", "videos"], ["clickhouse", "duplicate_groups"]],
    group_name="library",
    kinds={"arrow"},
    op_tags=SMALL.op_tags,
    pool="search_cards",
    description="What answers of search tell of a video: title, date, place, group of copies.",
)
def search_cards(
    context: dg.AssetExecutionContext, library: Library, tables: Tables
) -> dg.MaterializeResult:
    """Write the cards anew where they differ."""
    from ml.search.cards import write_cards

    context.log.info("search_cards: reading videos")
    seen = library.datasets.versions(VIDEOS.name)
    with tables.session("reading videos for search", context.log.info) as client:
        rows = client.query_arrow(sql.statement("load/search_cards"))
    with index_folder(library, FOLDER) as folder:
        is_new = write_cards(folder, rows)
        note_seen(folder, seen)
    context.log.info(f"search_cards: {rows.num_rows} videos" + ", unchanged" * (not is_new))
    return dg.MaterializeResult(metadata={**row_count(rows.num_rows), "unchanged": not is_new})
