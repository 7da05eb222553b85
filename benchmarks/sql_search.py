"""Search in SQL: text indexes against a plain scan, the vector index against comparing all vectors.

    python -m benchmarks.sql_search [--passages 200000] [--vectors 200000] [--dimensions 384]

Runs on the embedded engine, in a folder that is removed afterwards. Passages are of 40 made-up
words each, drawn by Zipf's law from 60,000; vectors lie around centres, as those of like texts do.
Both are loaded as batches are, four of them. A text query must give the same rows with and without
the index before its times count, and the vector index's answers are compared with the exact ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

import sql
from assets.stores.clickhouse import ClickHouse
from assets.stores.tables import TABLES
from assets.tables.load import load_batch

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

BATCHES = 4
WORDS, WORDS_A_PASSAGE, ZIPF = 60_000, 40, 1.0
ROWS = 10_000  # of a RecordBatch
# A query that is repeated would skip the rows that its first run found wanting.
NO_CACHE = {"use_query_condition_cache": 0}
K = 10
# Twenty vectors a centre, each at a cosine of some .8 to it: the ten nearest are among them.
A_CENTRE, SPREAD = 20, 0.75
SYLLABLES = [c + v for c in "бвгджзклмнпрстхш" for v in "аеиоуыя"] + ["ran", "ti", "wor", "le"]

PHRASE = (
    "hasAll(words, splitByChar(' ', {typed:String}))"
    " AND hasSubstr(words, splitByChar(' ', {typed:String}))"
)
# Name, the condition, its index, how common the words are (1 is the commonest), how many.
TEXT_QUERIES = (
    ("a rare word", "has(lemmas, {typed:String})", "lemmas_index", 20_000, 1),
    ("a common word", "has(lemmas, {typed:String})", "lemmas_index", 50, 1),
    (
        "any of three words",
        "hasAny(lemmas, splitByChar(' ', {typed:String}))",
        "lemmas_index",
        2000,
        3,
    ),
    (
        "both of two words",
        "hasAll(lemmas, splitByChar(' ', {typed:String}))",
        "lemmas_index",
        50,
        2,
    ),
    ("a phrase", PHRASE, "words_index", 0, 2),
    ("a phrase, both common", PHRASE, "words_index", 0, 2),
    (
        "a piece of a word",
        "replaceAll(lowerUTF8(text), 'ё', 'е') LIKE concat('%', {typed:String}, '%')",
        "letters_index",
        20_000,
        1,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = ClickHouse(f"chdb://{Path(folder).resolve()}/clickhouse")
        with tables.session("benchmark") as client:
            if args.passages:
                text_indexes(client, args.passages)
            if args.vectors:
                vector_index(client, args.vectors, args.dimensions, args.queries)


# Text


def text_indexes(client: Client, count: int) -> None:
    """Load passages, ask each query with and without the indexes, print the ratios."""
    names = vocabulary()
    with_indexes = timed(lambda: load(client, "passages", passages(count, names)))
    print(f"\n{count} passages loaded in {with_indexes:.0f} s; on disk:")
    print_sizes(client, "passages")
    print(f"\n{'text query':22} {'rows':>7} {'scan ms':>9} {'index ms':>9} {'scan / index':>13}")
    for name, condition, index, rank, words in TEXT_QUERIES:
        typed = " ".join(names[rank : rank + words])
        if index == "words_index":
            typed = some_phrase(client, names, common="common" in name)
        if index == "letters_index":
            typed = typed[1:7]
        rows, slow, fast = against_scan(client, condition, index, typed)
        print(f"{name:22} {rows:7} {slow:9.1f} {fast:9.1f} {slow / fast:13.1f}")


def against_scan(
    client: Client, condition: str, index: str, typed: str
) -> tuple[int, float, float]:
    """Rows that are found, milliseconds of a scan, and of the index."""
    statement = f"SELECT video_id FROM passages WHERE {condition} ORDER BY ALL LIMIT 1000"

    def ask(use_index: int, prefix: str = "") -> Any:
        settings = {"use_skip_indexes": use_index, **NO_CACHE}
        given = {"typed": typed}
        return client.query(prefix + statement, parameters=given, settings=settings).result_rows

    assert index in str(ask(1, "EXPLAIN indexes = 1 ")), index
    assert index not in str(ask(0, "EXPLAIN indexes = 1 ")), index
    found = ask(1)
    assert found and found == ask(0), condition
    return len(found), repeated(partial(ask, 0)), repeated(partial(ask, 1))


def vocabulary() -> list[str]:
    """Made-up words, the commonest first; no two the same."""
    rng = np.random.default_rng(0)
    made: dict[str, None] = {}
    while len(made) < WORDS:
        made["".join(rng.choice(SYLLABLES, rng.integers(2, 6)))] = None
    return list(made)


def passages(count: int, names: list[str]) -> Iterator[pa.RecordBatch]:
    rng = np.random.default_rng(1)
    chance = 1 / np.arange(1, WORDS + 1) ** ZIPF
    chance /= chance.sum()
    for start in range(0, count, ROWS):
        drawn = rng.choice(WORDS, (min(ROWS, count - start), WORDS_A_PASSAGE), p=chance)
        words = [[names[w] for w in row] for row in drawn]
        yield rows_of(
            "passages",
            start,
            len(words),
            text=[" ".join(row).capitalize() for row in words],
            words=words,
            lemmas=words,
            language=["ru"] * len(words),
        )


def some_phrase(client: Client, names: list[str], common: bool) -> str:
    """Two words side by side, both or only one of them of the thousand commonest."""
    text = "SELECT words FROM passages ORDER BY video_id LIMIT 20"
    often = set(names[:1000])
    for (words,) in client.query(text).result_rows:
        for pair in pairwise(words):
            if len(often & set(pair)) == (2 if common else 1) and pair[0] != pair[1]:
                return " ".join(pair)
    raise ValueError("no such phrase in twenty passages")


# Vectors


def vector_index(client: Client, count: int, dimensions: int, queries: int) -> None:
    """Load vectors, ask exactly, add the index that `vector_index.sql` names, ask again."""
    load(client, "passage_embeddings", vectors(count, dimensions))
    asked = [near(client, n * count // queries) for n in range(queries)]
    exact = [nearest(client, vector) for vector in asked]
    slow = repeated_each(partial(nearest, client), asked)
    statement = statement_for(client, "passage_embeddings")
    built = timed(lambda: client.command(statement))
    found = [nearest(client, vector) for vector in asked]
    fast = repeated_each(partial(nearest, client), asked)
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(exact, found, strict=True)])
    print(f"\n{count} vectors of {dimensions}; the index was built in {built:.0f} s; on disk:")
    print_sizes(client, "passage_embeddings")
    print(f"all {slow:.1f} ms, index {fast:.1f} ms: {slow / fast:.1f} x; recall@{K} {recall:.3f}")


def vectors(count: int, dimensions: int) -> Iterator[pa.RecordBatch]:
    rng = np.random.default_rng(2)
    centres = unit(rng.normal(size=(max(1, count // A_CENTRE), dimensions)))
    for start in range(0, count, ROWS):
        size = min(ROWS, count - start)
        drawn = centres[rng.integers(len(centres), size=size)]
        noise = unit(rng.normal(size=(size, dimensions)))
        z = unit(drawn + SPREAD * noise).astype(np.float32)
        yield rows_of("passage_embeddings", start, size, embedding=list(z), model=["m"] * size)


def near(client: Client, row: int) -> list[float]:
    """A stored vector, moved a little: what a query like a passage would be."""
    text = "SELECT embedding FROM passage_embeddings WHERE video_id = {v:String}"
    stored = np.array(client.query(text, parameters={"v": f"v{row:08}"}).result_rows[0][0])
    noise = unit(np.random.default_rng(row).normal(size=(1, len(stored))))[0]
    return [float(x) for x in stored + 0.5 * noise]


def nearest(client: Client, vector: list[float]) -> list[str]:
    text = (
        "WITH {query:Array(Float32)} AS query SELECT video_id FROM passage_embeddings"
        f" WHERE model = 'm' ORDER BY cosineDistance(embedding, query) LIMIT {K}"
    )
    found = client.query(text, parameters={"query": vector}, settings=NO_CACHE)
    return [row[0] for row in found.result_rows]


def statement_for(client: Client, table: str) -> str:
    rows = client.query(sql.query("vector_index")).named_results()
    return next(str(row["statement"]) for row in rows if row["table"] == table)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Both


def rows_of(table: str, start: int, count: int, **columns: Any) -> pa.RecordBatch:
    """Rows ``start`` and after, a video each."""
    schema = TABLES[table].schema
    given = columns | {
        "video_id": [f"v{n:08}" for n in range(start, start + count)],
        "channel": ["asr"] * count,
        "passage_no": [0] * count,
        "start_s": [0.0] * count,
        "end_s": [20.0] * count,
    }
    return pa.RecordBatch.from_arrays(
        [pa.array(given[f.name], f.type) for f in schema], schema=schema
    )


def load(client: Client, table: str, rows: Iterator[pa.RecordBatch]) -> None:
    """In batches of as many RecordBatches each."""
    parts = list(rows)
    size = -(-len(parts) // BATCHES)
    for n in range(0, len(parts), size):
        load_batch(client, table, f"batch-{n}", parts[n : n + size], "made up")
    client.command(f"OPTIMIZE TABLE {table} FINAL")


def print_sizes(client: Client, table: str) -> None:
    text = (
        "SELECT name, formatReadableSize(data_compressed_bytes)"
        " FROM system.data_skipping_indices WHERE table = {t:String} UNION ALL"
        " SELECT concat('column ', name), formatReadableSize(data_compressed_bytes)"
        " FROM system.columns WHERE table = {t:String} AND data_compressed_bytes > 1e6"
    )
    for name, size in client.query(text, parameters={"t": table}).result_rows:
        print(f"  {name:20} {size}")


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def repeated(run: Callable[[], Any], times: int = 7) -> float:
    """Median of milliseconds."""
    return median(timed(run) for _ in range(times)) * 1000


def repeated_each(run: Callable[[Any], Any], given: list[Any]) -> float:
    """Median of milliseconds, once for each that is given."""
    return median(timed(partial(run, one)) for one in given) * 1000


if __name__ == "__main__":
    main()
