"""A whole search at a million videos, without the query's model: how long, and how much memory?

Run: ``python -m benchmarks.search_scale [--videos 100000] [--folder FOLDER] [--memory 9]``

Every video has a title of 8 words, a spoken passage of 25, one on screen of 6, and a vector for
each of them and for its pictures (384, 384, 384 and 512 dimensions; ``benchmarks.index_scale`` says
how they are made up). Words follow Zipf's law over 200,000 made-up ones; a twentieth of the videos
is in a group of copies. Indexes are built by the functions that the assets call, in 50 batches, and
kept in the folder, so that a second run only searches.

A query is 2 to 4 words of one title and vectors drawn as the library's. What is timed is
`Engine.search` for ten answers: words and vectors in four channels, fusion, copies, titles, texts;
in a fresh process, memory-mapped, after 50 queries to warm up. Where two of the words are rare it
is checked that by words alone the title's own video is among the answers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.index_scale import Channel, Themes, proportional_mb, video_id
from ml.neighbours import VectorIndex, item_key, update_index
from ml.schemas import PASSAGES
from ml.search.cards import SCHEMA as CARDS_SCHEMA
from ml.search.cards import Cards, write_cards
from ml.search.engine import Asked, Engine
from ml.search.lexical_index import LexicalIndex, LexicalQuery, update_lexical

CHANNELS = {
    "title": ("title/0", 384),
    "speech": ("asr/0", 384),
    "screen": ("ocr/0", 384),
    "visual": ("25@1.00", 512),
}
WORDS = {"title": 8, "asr": 25, "ocr": 6}
VOCABULARY = 200_000
BATCHES = 50
COPIES = 20  # one video in so many is in a group of copies
WARMING, QUERIES, ANSWERS = 50, 300, 10
MOST_MS = 50.0
LEAST_RECALL = 0.95


def words_of(batch: range, channel: str) -> np.ndarray:
    """object[videos, words]: words of a batch's texts, the same whenever they are asked for."""
    draw = np.random.default_rng((batch.start, WORDS[channel]))
    weights = 1 / np.arange(1, VOCABULARY + 1)
    ranks = np.searchsorted(
        np.cumsum(weights / weights.sum()), draw.random((len(batch), WORDS[channel]))
    )
    return _vocabulary()[np.minimum(ranks, VOCABULARY - 1)]


def _vocabulary() -> np.ndarray:
    """Words of letters that sound unlike each other."""
    syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in "aeiou"], object)
    numbers = np.arange(VOCABULARY) + 70**2
    made = np.full(VOCABULARY, "", object)
    while numbers.any():
        made = made + syllables[numbers % 70]
        numbers = numbers // 70
    return made


def passages(batch: range) -> Iterator[pa.RecordBatch]:
    for channel in WORDS:
        words = words_of(batch, channel)
        rows = len(batch)
        lists = pa.array(words.tolist(), PASSAGES.schema.field("words").type)
        columns = {
            "video_id": [video_id(v) for v in batch],
            "channel": [channel] * rows,
            "passage_no": pa.array(np.zeros(rows, np.int32)),
            "start_s": np.zeros(rows),
            "end_s": np.full(rows, 9.0),
            "text": [" ".join(row) for row in words],
            "words": lists,
            "lemmas": lists,
        }
        yield pa.RecordBatch.from_pydict(columns)


def vectors(name: str, videos: int, batch: range) -> tuple[list[str], np.ndarray]:
    item, dimension = CHANNELS[name]
    keys = [item_key(video_id(v), item) for v in batch]
    return keys, _themes(dimension, videos).draw(len(batch), seed=2 + batch.start)


def _themes(dimension: int, videos: int) -> Themes:
    return Channel("", dimension, 1, videos).themes()


def cards(videos: int) -> pa.Table:
    ids = [video_id(v) for v in range(videos)]
    titles = [
        " ".join(row) for batch in batches(videos).values() for row in words_of(batch, "title")
    ]
    original = [video_id(v - v % COPIES) if v % COPIES < 2 else "" for v in range(videos)]
    columns = {"video_id": ids, "title": titles, "uri": ids, "original_id": original}
    empty = {"published_at": pa.nulls(videos, CARDS_SCHEMA.field("published_at").type)}
    columns |= empty | {"duration_s": np.full(videos, 20.0)}
    return pa.table(columns)


def batches(videos: int) -> dict[str, range]:
    size = -(-videos // BATCHES)
    starts = range(0, videos, size)
    return {f"{start:09}": range(start, min(start + size, videos)) for start in starts}


def build(folder: Path, videos: int) -> None:
    """Everything that search reads; what is there already is not built again."""
    of = batches(videos)
    wanted = dict.fromkeys(of, "1")
    print("| | vectors or passages | built (CPU) | on disk | recall@10 |\n" + "| --- " * 5 + "|")
    for name in CHANNELS:
        started = time.process_time()
        report = update_index(
            folder / name, wanted, lambda b, name=name: vectors(name, videos, of[b]), "made-up"
        )
        _print_built(name, report.count, started, folder / name, report.recall_at_10)
        if report.recall_at_10 is None or report.recall_at_10 < LEAST_RECALL:
            sys.exit(f"{name}: recall@10 {report.recall_at_10}")
    started = time.process_time()
    lexical = update_lexical(folder / "lexical", wanted, lambda b: passages(of[b]))
    _print_built("words", lexical.count, started, folder / "lexical", None)
    started = time.process_time()
    write_cards(folder / "cards", cards(videos))
    _print_built("cards", videos, started, folder / "cards", None)


def _print_built(name: str, count: int, started: float, folder: Path, recall: float | None) -> None:
    mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    told = "" if recall is None else f"{recall:.3f}"
    taken = time.process_time() - started
    print(f"| {name} | {count:,} | {taken:.0f} s | {mb:,.0f} MB | {told} |", flush=True)


def search(folder: Path, videos: int) -> dict[str, float]:
    """Times of whole searches in ms, and MB held; in a process of its own."""
    import faiss

    faiss.omp_set_num_threads(1)
    before = proportional_mb()
    started = time.perf_counter()
    load = partial(VectorIndex.load, mmap=True, verify=False)
    dense = {name: load(folder / name) for name in CHANNELS}
    engine = Engine(LexicalIndex.open(folder / "lexical"), dense, Cards.open(folder / "cards"))
    opened_s = time.perf_counter() - started
    cpu_ms, wall_ms, own, found = [], [], 0, 0
    asked = queries(videos)
    for number, (video, query, is_own) in enumerate(asked):
        cpu, wall = time.process_time(), time.perf_counter()
        engine.search(query, ANSWERS)
        if number >= WARMING:
            cpu_ms.append(1e3 * (time.process_time() - cpu))
            wall_ms.append(1e3 * (time.perf_counter() - wall))
        if is_own:  # the vectors, which are of other videos, would outvote the words
            answers = engine.search(replace(query, vectors={}), ANSWERS)
            own += 1
            found += video in {v for a in answers for v in (a.video_id, *a.copies)}
    after = proportional_mb()
    return {
        "opened_s": opened_s,
        "own": own,
        "found": found,
        **{f"cpu_{q}": float(np.quantile(cpu_ms, q / 100)) for q in (50, 95)},
        **{f"wall_{q}": float(np.quantile(wall_ms, q / 100)) for q in (50, 95)},
        "pss_mb": after["Pss"] - before["Pss"],
        "own_mb": after["Pss_Anon"] - before["Pss_Anon"],
    }


def queries(videos: int) -> list[tuple[str, Asked, bool]]:
    """Video, query, and whether its words stand in few other titles: a rare one is among them."""
    draw = np.random.default_rng(7)
    rare = set(_vocabulary()[20_000:])
    drawn = {
        n: _themes(d, videos).draw(WARMING + QUERIES, seed=1) for n, (_, d) in CHANNELS.items()
    }
    of = list(batches(videos).values())
    made = []
    for number in range(WARMING + QUERIES):
        batch = of[int(draw.integers(len(of)))]
        row = int(draw.integers(len(batch)))
        words = draw.choice(words_of(batch, "title")[row], int(draw.integers(2, 5)), replace=False)
        lexical = LexicalQuery(list(words), lemmas=list(words))
        asked = Asked([lexical], {name: rows[number : number + 1] for name, rows in drawn.items()})
        made.append((video_id(batch[row]), asked, len(rare & set(words)) >= 2))
    return made


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        build(folder, arguments.videos)
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            told = pool.apply(search, (folder, arguments.videos))
    print(
        "\n{found:.0f} of {own:.0f} videos found by rare words of their titles. "
        "Opened in {opened_s:.2f} s. A search: {cpu_50:.1f} / {cpu_95:.1f} ms of CPU (p50 / p95), "
        "{wall_50:.1f} / {wall_95:.1f} ms by the clock. Held: {pss_mb:,.0f} MB, of which "
        "{own_mb:,.0f} MB its own and the rest mapped. ".format(**told)
        + f"Peak while building: {peak_gb:.1f} GB."
    )
    right = told["found"] == told["own"] > 0
    return 0 if right and told["wall_95"] <= MOST_MS and peak_gb <= arguments.memory else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the indexes are kept for another run")
    parser.add_argument("--memory", type=float, default=9.0, help="GB")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
