"""How well search ranks: nDCG@10 and recall@10 of each channel, of fused answers, and of peers.

    python -m benchmarks.search [--videos 3000]

Two made-up libraries (`benchmarks.search_library`) that share no theme and no wording: constants of
`ml.search.ranking` were chosen on *tuning*, *fresh* only reports. Texts in English have vectors by
the packaged MiniLM, lexical hits come from the index that search uses. **Pictures have no model**:
their channel is a synthetic stand-in, and what is fused without it is told as well.

A channel alone is ranked by the best hit of each video. Near-copies are one answer everywhere.
nDCG takes 2^grade - 1 as gain; recall is the share of the answers of grade 2 or 3, or of ten of
them, among the first ten. A moment is right within two seconds of the passage or frame that was
planted.

Before any figure, answers are compared with the same evidence added up one video at a time, with
lists in another order, and the measure with the best order there is.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import pyarrow as pa

from benchmarks.search_library import (
    EXACT,
    KINDS,
    LENGTH_S,
    SUBJECT,
    Query,
    SearchLibrary,
    search_library,
)
from benchmarks.search_written import FRESH, TUNING
from ml.schemas import PASSAGES
from ml.search.lexical_index import LexicalIndex, LexicalQuery, update_lexical
from ml.search.ranking import Answer, Retrieved, evidence, rank
from ml.text.channels import CHANNEL_TEXT
from ml.text.embedder import PACKAGED, TextEmbedder, load_text_embedder
from ml.text.passages import Passage, passages_of, words_and_lemmas
from ml.text.words import lemmatiser
from ml.vectors import list_matrix

# Hits of a list, answers of a search, and how near a moment has to be.
DEPTH, K, MOMENT_S = 200, 10, 2.0
# Cosines that tell what is usual.
BACKGROUND = 1000
CHANNELS = {"speech": ("asr",), "screen": ("ocr",), "title": ("title", "description")}
# Reciprocal rank fusion's constant (Cormack et al. 2009).
RRF = 60
CHECKED = 40

Ranking = Callable[[Sequence[Retrieved]], list[str]]
# Video and its passage.
Owned = tuple[str, Passage]


@dataclass(frozen=True)
class Bench:
    """A library with what every query retrieved from it."""

    library: SearchLibrary
    retrieved: Sequence[Sequence[Retrieved]]
    group_of: Mapping[str, str]


# ---------------------------------------------------------------- retrieval


def retrieved_of(library: SearchLibrary, embedder: TextEmbedder, folder: Path) -> Bench:
    """Runs every query; the lexical index is made in the folder."""
    owned = passages(library)
    texts = [query.text for query in library.queries]
    asked = vectors_of(texts, embedder)
    lists: list[list[Retrieved]] = [[] for _ in texts]
    owners, starts = zip(*library.frames, strict=True)
    cosines = library.query_vectors @ library.frame_vectors.T
    for of_query, row in zip(lists, cosines, strict=True):
        of_query.append(_dense("visual", row, owners, starts))
    for name, channels in CHANNELS.items():
        english = [(v, p) for v, p in owned if p.channel in channels and p.language == "en"]
        cosines = asked @ vectors_of([passage.text for _, passage in english], embedder).T
        for of_query, row in zip(lists, cosines, strict=True):
            seconds = [passage.start_s for _, passage in english]
            of_query.append(_dense(name, row, [video for video, _ in english], seconds))
    for of_query, found in zip(lists, _lexical(owned, texts, folder), strict=True):
        of_query += found
    return Bench(library, lists, library.group_of)


def passages(library: SearchLibrary) -> list[Owned]:
    """Every passage with its video, as the pipeline cuts them."""
    lemma, made = lemmatiser(), []
    for video in library.videos:
        texts = defaultdict(list)
        for piece in video.pieces:
            end_s = piece.start_s + LENGTH_S
            texts[piece.channel].append((piece.start_s, end_s, piece.text, video.language))
        made += [(video.video_id, passage) for passage in passages_of(texts, lemma)]
    return made


def vectors_of(texts: Sequence[str], embedder: TextEmbedder) -> np.ndarray:
    """Unit-length float32[n, d]; a text that comes again is embedded once."""
    places = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    rows = [{"video_id": "", "channel": "", "text": text} for text in places]
    made = embedder.embed([pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)])
    matrix = np.vstack([list_matrix(batch.column("embedding")) for batch in made])
    return np.asarray(matrix[[places[text] for text in texts]])


def _dense(
    channel: str, cosines: np.ndarray, owners: Sequence[str], starts: Sequence[float]
) -> Retrieved:
    draw = np.random.default_rng(0)
    sample = cosines[draw.choice(len(cosines), min(BACKGROUND, len(cosines)), replace=False)]
    best = np.argsort(-cosines, kind="stable")[:DEPTH]
    return Retrieved(
        channel,
        "dense",
        [owners[row] for row in best],
        [starts[row] for row in best],
        cosines[best],
        background=(float(sample.mean()), float(sample.std())),
    )


def _lexical(
    owned: Sequence[Owned], texts: Sequence[str], folder: Path
) -> Iterable[list[Retrieved]]:
    """The lexical hits of each text in the channels that have any."""
    rows = [passage.row(video) for video, passage in owned]
    batch = pa.RecordBatch.from_pylist(rows, PASSAGES.schema)
    update_lexical(folder, {"all": "1"}, lambda _: [batch])
    index, lemma = LexicalIndex.open(folder), lemmatiser()
    for text in texts:
        words, lemmas = words_and_lemmas(text, lemma)
        yield [
            _hits(index, LexicalQuery(words, (), lemmas), name, channels)
            for name, channels in CHANNELS.items()
        ]


def _hits(
    index: LexicalIndex, query: LexicalQuery, name: str, channels: Sequence[str]
) -> Retrieved:
    hits = index.search(query, DEPTH, channels)
    return Retrieved(
        name,
        "lexical",
        [hit.video_id for hit in hits],
        [hit.moment_s for hit in hits],
        np.array([hit.share for hit in hits], np.float32),
        bm25=np.array([hit.bm25 for hit in hits], np.float32),
    )


# ---------------------------------------------------------------- ways to rank


def alone(channel: str, kind: str) -> Ranking:
    """The order of one list."""

    def ranked(lists: Sequence[Retrieved]) -> list[str]:
        of = [hits for hits in lists if (hits.channel, hits.kind) == (channel, kind)]
        return _in_order(_best(hits, _scores(hits)) for hits in of)

    return ranked


def reciprocal_ranks(lists: Sequence[Retrieved]) -> list[str]:
    """Sum of 1 / (60 + rank)."""
    parts = []
    for hits in lists:
        order = _in_order([_best(hits, _scores(hits))])
        parts.append({video: 1 / (RRF + 1 + place) for place, video in enumerate(order)})
    return _in_order(parts)


def standard_scores(lists: Sequence[Retrieved]) -> list[str]:
    """Sum of z-scores above 0: of cosines by their background, of BM25 by its own list."""
    parts = []
    for hits in lists:
        scores = _scores(hits)
        mean, spread = hits.background or (scores.mean(), scores.std()) if len(scores) else (0, 1)
        parts.append(_best(hits, np.maximum((scores - mean) / max(spread, 1e-6), 0)))
    return _in_order(parts)


def convex(lists: Sequence[Retrieved]) -> list[str]:
    """Sum of scores by the best of their list, above 0 or the background (Bruch et al. 2022)."""
    parts = []
    for hits in lists:
        scores, least = _scores(hits), hits.background[0] if hits.background else 0.0
        parts.append(_best(hits, (scores - least) / max(scores.max(initial=0) - least, 1e-6)))
    return _in_order(parts)


def largest_evidence(lists: Sequence[Retrieved]) -> list[str]:
    found: dict[str, float] = {}
    for hits in lists:
        for video, sure in _best(hits, evidence(hits)).items():
            found[video] = max(sure, found.get(video, 0.0))
    return _in_order([found])


def summed_evidence(lists: Sequence[Retrieved]) -> list[str]:
    return _in_order(_best(hits, evidence(hits)) for hits in lists)


def _scores(hits: Retrieved) -> np.ndarray:
    return np.asarray(hits.scores if hits.bm25 is None else hits.bm25, np.float64)


def _best(hits: Retrieved, scores: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {}
    for video, score in zip(hits.videos, scores.tolist(), strict=True):
        found[video] = max(score, found.get(video, score))
    return found


def _in_order(parts: Iterable[Mapping[str, float]]) -> list[str]:
    total: dict[str, float] = defaultdict(float)
    for part in parts:
        for video, score in part.items():
            total[video] += score
    return sorted(total, key=lambda video: (-total[video], video))


PEERS: dict[str, Ranking] = {
    "reciprocal ranks": reciprocal_ranks, "z-scores": standard_scores, "convex": convex,
    "largest evidence": largest_evidence, "summed evidence": summed_evidence,
}  # fmt: skip


# ---------------------------------------------------------------- how well


def quality(ranked: Sequence[str], query: Query, group_of: Mapping[str, str]) -> tuple[float, ...]:
    """nDCG@10 and recall@10; a group counts once, at its first place."""
    grades: dict[str, int] = defaultdict(int)
    for video, grade in query.grades.items():
        group = group_of.get(video, video)
        grades[group] = max(grade, grades[group])
    shown = list(dict.fromkeys(group_of.get(video, video) for video in ranked))[:K]
    found = [grades.get(group, 0) for group in shown]
    wanted = sum(grade >= SUBJECT for grade in grades.values())
    best = sorted(grades.values(), reverse=True)[:K]
    return _gain(found) / _gain(best), sum(g >= SUBJECT for g in found) / min(K, wanted)


def _gain(grades: Sequence[int]) -> float:
    return float(sum((2**grade - 1) / log2(place + 2) for place, grade in enumerate(grades)))


def qualities(bench: Bench, ranking: Ranking, *, pictures: bool = True) -> np.ndarray:
    """float64[queries, 2]."""
    rows = []
    for query, lists in zip(bench.library.queries, bench.retrieved, strict=True):
        used = [hits for hits in lists if pictures or hits.channel != "visual"]
        rows.append(quality(ranking(used), query, bench.group_of))
    return np.array(rows)


def fused(bench: Bench) -> Ranking:
    """The answers of search, copies behind their answer."""
    return lambda lists: [a.video_id for a in rank(lists, K, group_of=bench.group_of)]


def moments(bench: Bench) -> dict[str, list[bool]]:
    """By kind of query, whether an exact answer among the first ten names the planted moment."""
    right = defaultdict(list)
    for query, lists in zip(bench.library.queries, bench.retrieved, strict=True):
        for answer in rank(lists, K, group_of=bench.group_of):
            planted = query.moments.get(answer.video_id, ())
            if query.grades.get(answer.video_id) == EXACT and planted:
                at = _moment(answer)
                near = [start - MOMENT_S <= at <= end + MOMENT_S for start, end in planted]
                right[query.kind].append(any(near))
    return right


def _moment(answer: Answer) -> float:
    """What search shows: the second of the best match that has a time, 0 without."""
    timed = [channel for channel in answer.channels if channel != "title"]
    if answer.channel != "title" or not timed:
        return float(answer.item)
    return float(answer.items[max(timed, key=lambda channel: answer.channels[channel])])


# ---------------------------------------------------------------- checks


def check(bench: Bench) -> None:
    """Compares answers with what the rules say.

    Raises:
        RuntimeError: they differ.
    """
    step = max(1, len(bench.retrieved) // CHECKED)
    for query, lists in list(zip(bench.library.queries, bench.retrieved, strict=True))[::step]:
        answers = rank(lists, K, group_of=bench.group_of)
        turned = rank(lists[::-1], K, group_of=bench.group_of)
        wanted = _one_by_one(lists, bench.group_of)
        got = [(a.video_id, round(a.score, 9)) for a in answers]
        if got != wanted or [a.video_id for a in answers] != [a.video_id for a in turned]:
            raise RuntimeError(f"{query.text!r}: {got} is not {wanted}")
        best = sorted(query.grades, key=lambda video: -query.grades[video])
        if not np.allclose(quality(best, query, bench.group_of), 1):
            raise RuntimeError(f"{query.text!r}: the best order there is has no nDCG of 1")


def _one_by_one(lists: Sequence[Retrieved], group_of: Mapping[str, str]) -> list[tuple[str, float]]:
    """The first ten and their scores, a video at a time."""
    doubt: dict[str, float] = defaultdict(lambda: 1.0)
    for hits in lists:
        for video, sure in _best(hits, evidence(hits)).items():
            doubt[video] *= 1 - sure
    order = sorted((left, video) for video, left in doubt.items() if left < 1)
    first: dict[str, tuple[str, float]] = {}
    for left, video in order:
        first.setdefault(group_of.get(video, video), (video, round(1 - left, 9)))
    return list(first.values())[:K]


# ---------------------------------------------------------------- the benchmark


def report(bench: Bench) -> None:
    """Prints the tables of a library."""
    kinds = np.array([query.kind for query in bench.library.queries])
    lists = [(c, k) for c in ("visual", *CHANNELS) for k in ("dense", "lexical")]
    singles = {f"{c}, {k}": alone(c, k) for c, k in lists if (c, k) != ("visual", "lexical")}
    found = {name: qualities(bench, way) for name, way in singles.items()}
    peers = {name: qualities(bench, way) for name, way in PEERS.items()}
    ours = {"**fused**": qualities(bench, fused(bench))}
    blind = {"fused, no pictures": qualities(bench, fused(bench), pictures=False)}
    print(f"\n## {bench.library.name}\n\n| | nDCG | recall | {' | '.join(KINDS)} |")
    print("| --- " * (len(KINDS) + 3) + "|")
    for name, of in {**found, **peers, **ours, **blind}.items():
        each = " | ".join(f"{of[kinds == kind, 0].mean():.3f}" for kind in KINDS)
        print(f"| {name} | {of[:, 0].mean():.3f} | {of[:, 1].mean():.3f} | {each} |")
    print()
    _compare("fused", ours["**fused**"], found, kinds)
    seen = {name: of for name, of in found.items() if not name.startswith("visual")}
    _compare("fused, no pictures", blind["fused, no pictures"], seen, kinds)
    right = moments(bench)
    told = ", ".join(f"{k} {np.mean(right[k]):.2f} of {len(right[k])}" for k in KINDS if right[k])
    print(f"Moments right: {told}.")


def _compare(
    name: str, ours: np.ndarray, singles: Mapping[str, np.ndarray], kinds: np.ndarray
) -> None:
    """Prints what fused answers gain in nDCG on the best single list, and its standard error."""
    print(f"{name}, beside the best list alone:")
    for kind in ("all kinds", *KINDS):
        rows = kinds == kind if kind != "all kinds" else np.ones(len(kinds), bool)
        best = max(singles, key=lambda one: singles[one][rows, 0].mean())
        gain = ours[rows, 0] - singles[best][rows, 0]
        error = gain.std(ddof=1) / len(gain) ** 0.5
        worse = " **worse**" if gain.mean() < -2 * error else ""
        print(f"- {kind}: {gain.mean():+.3f} ± {error:.3f} on {best}, {len(gain)} queries{worse}")
    print()


def timed(bench: Bench) -> None:
    """Prints the time to fuse eight lists of 200 hits, beside reciprocal ranks."""
    full = [h for lists in bench.retrieved for h in lists if len(h.videos) == DEPTH]
    batches = [full[start : start + 8] for start in range(0, min(len(full), 1600) - 7, 8)]
    seconds = {}
    for name, way in (("fused", fused(bench)), ("reciprocal ranks", reciprocal_ranks)):
        started = perf_counter()
        for batch in batches:
            way(batch)
        seconds[name] = (perf_counter() - started) / len(batches)
    told = ", ".join(f"{name} {1e3 * took:.2f} ms" for name, took in seconds.items())
    print(f"\nEight lists of {DEPTH} hits: {told}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=3000, help="of each library")
    options = parser.parse_args()
    embedder = load_text_embedder(PACKAGED, profile="embedded")
    print("Pictures are a synthetic stand-in: no image-text model was run.")
    for name, written, seed in (("tuning", TUNING, 0), ("fresh", FRESH, 1)):
        library = search_library(name, written, options.videos, seed)
        with TemporaryDirectory() as folder:
            bench = retrieved_of(library, embedder, Path(folder))
        check(bench)
        report(bench)
    timed(bench)


if __name__ == "__main__":
    main()
