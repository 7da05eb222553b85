"""Rows of a made-up library of a dozen videos, for every table; the same on every call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from assets.stores.tables import TABLES
from assets.tables.load import load_batch, replace_table
from ml.text.words import tokenise

BATCH = "2026-11-20-001"
TITLES = (
    "Weather in Oslo",
    "Weather in Oslo, again",
    "Рецепт борща",
    "<b>bold</b>'; DROP TABLE videos; --",
    "zero\0byte",
    "two\nlines and 😀",
    *(f"clip {n}" for n in range(6)),
)
DESCRIPTIONS = {2: "Сварим борщ", 4: "Rains over two cities, ёлка.рф/24-7"}
LEMMAS = {"борща": "борщ", "rains": "rain", "cities": "city"}
FAILED = 2  # the last videos
DIMENSION = 16


def record_batch(table: str, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows of a table; columns that are not given get their type's empty value."""
    schema = TABLES[table].schema
    filled = [{**{f.name: _empty(f) for f in schema}, **row} for row in rows]
    return pa.RecordBatch.from_pylist(filled, schema)


def _empty(field: pa.Field) -> Any:
    if field.nullable:
        return None
    kind = field.type
    if pa.types.is_boolean(kind):
        return False
    if pa.types.is_binary(kind):
        return b""
    return [] if pa.types.is_list(kind) else "" if pa.types.is_string(kind) else 0


def segments(count: int, text: str = "said", model: str = "m") -> Iterator[pa.RecordBatch]:
    """Rows of asr_segments, ten to a RecordBatch."""
    for start in range(0, count, 10):
        rows = [
            {"video_id": "v", "segment_no": n, "text": text, "model": model}
            for n in range(start, min(start + 10, count))
        ]
        yield record_batch("asr_segments", rows)


def load_small_library(client: Client, batch: str = BATCH) -> None:
    """Load every table."""
    for name, rows in small_library().items():
        if TABLES[name].by_batch:
            load_batch(client, name, batch, [record_batch(name, rows)], "made up")
        else:
            replace_table(client, name, [record_batch(name, rows)], "made up")


def small_library() -> dict[str, list[dict[str, Any]]]:
    """Rows by table."""
    ok = range(len(TITLES) - FAILED)
    vectors = np.random.default_rng(1).normal(size=(len(TITLES), DIMENSION)).astype(np.float32)
    vectors[1] = vectors[0] + 0.01  # the two weather reports mean nearly the same
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    passages = [passage for n in ok for passage in _passages(n)]
    return {
        "videos": [_video(n) for n in range(len(TITLES))],
        "frames": [_frame(n, s) for n in ok for s in range(10)],
        "asr_segments": [_segment(n, s) for n in ok if n % 2 == 0 for s in range(3)],
        "ocr_lines": [_line(n, s) for n in ok for s in range(2)],
        "frame_embeddings": [
            _frame(n, s) | {"embedding": vectors[(n + s) % len(vectors)].tolist(), "model": "m"}
            for n in ok
            for s in range(10)
        ],
        "video_texts": [_text(n, c) for n in ok for c in ("title", "asr")],
        "video_embeddings": [
            {
                "video_id": f"v{n:02}",
                "channel": channel,
                "model": "m" if channel == "visual" else "t",
                "word_count": 0 if channel == "visual" else 6,
                "embedding": vectors[(n + k) % len(vectors) if k else n].tolist(),
            }
            for n in ok
            for k, channel in enumerate(("title", "asr", "visual"))
        ],
        "passages": passages,
        "passage_embeddings": [
            {key: p[key] for key in ("video_id", "channel", "passage_no", "start_s", "end_s")}
            | {"embedding": vectors[int(p["video_id"][1:])].tolist(), "model": "t"}
            for p in passages
            if p["channel"] in {"asr", "ocr"}
        ],
        "search_vocabulary": _vocabulary(passages),
        "topics": [
            {
                "topic_id": t,
                "name": f"topic {t}",
                "terms": ["rain", "снег"],
                "size": 4,
                "centroid": vectors[t].tolist(),
                "exemplar_video_ids": [f"v{t:02}"],
                "model": "m",
            }
            for t in range(2)
        ],
        "video_topics": [
            {"video_id": f"v{n:02}", "topic_id": n % 3 - 1, "probability": 0.5} for n in ok
        ],
        "topic_changes": [
            {"clustering_no": 1, "change": "appeared", "topic_id": t, "size_after": 4}
            for t in range(2)
        ],
        "faces": [
            _face(n, s) | {"embedding": vectors[n % 3].tolist(), "model": "f"}
            for n in ok
            for s in range(3)
        ],
        "people": [_person(p) | {"centroid": vectors[p].tolist(), "model": "f"} for p in range(2)],
        "video_people": [
            _appearance(n, p, p if n % 2 else -1) for n in ok for p in range(1 + n % 2)
        ],
        "people_changes": [
            {"clustering_no": 1, "change": "appeared", "person_id": p, "size_after": 5}
            for p in range(2)
        ],
        "captions": [{"video_id": f"v{n:02}", "caption": "Rain.", "language": "en"} for n in ok],
        "tags": [_tag("News", 0), _tag("News: Weather", 1), _tag("Food", 0)],
        "video_tags": [
            {"video_id": f"v{n:02}", "rank": 1, "confidence": 0.1 * n, "source": "zero_shot"}
            | (_FILED["Food"] if n == 2 else _FILED["News: Weather"])
            for n in ok
        ],
        "video_keywords": [
            {"video_id": f"v{n:02}", "rank": rank, "keyword": word, "lemma": word, "weight": 1.0}
            for n in ok
            for rank, word in enumerate(("rain", "снег"), 1)
        ],
        "tag_evaluation": [
            {"split": split, "method": method, "scope": "all", "iou": 0.5, "videos": 9}
            | {"evaluated_on": date(2026, 11, 20)}
            for split in ("random", "grouped")
            for method in ("trained", "nearest", "constant")
        ],
        "duplicate_pairs": [
            _pair("v02", "v01", "duplicate", 0.9),
            _pair("v04", "v01", "duplicate", 0.8),
            _pair("v05", "v02", "partial", 0.7),
            _pair("v07", "v06", "hard_same_video_other_audio", 0.6),
            _pair("v08", "v06", "hard_other_video_same_audio", 0.5),
        ],
        "duplicate_groups": [
            _member("v01", 1.0),
            _member("v02", 0.9),
            _member("v04", 0.8),
        ],
        "copyright_hits": [
            {
                "video_id": "v02",
                "licence_id": "v01",
                "verdict": "duplicate",
                "score": 0.9,
                "reason": "the same pictures and the same sound",
                "starts_s": [0.0, 6.0],
                "ends_s": [5.0, 9.0],
                "licence_starts_s": [1.0, 7.0],
                "licence_ends_s": [6.0, 10.0],
                "matched_s": 8.0,
            }
        ],
    }


def alike_passages(long: str, count: int, short: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows by table: a video of many like passages and frames, and videos of one further off."""
    rng = np.random.default_rng(2)
    places = [(long, n, 0.05) for n in range(count)] + [(video, 0, 0.3) for video in short]
    vectors = rng.normal(size=DIMENSION) + [
        far * rng.normal(size=DIMENSION) for _, _, far in places
    ]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    moments = [{"video_id": video, "start_s": 30.0 * n} for video, n, _ in places]
    passages = [
        moment | {"channel": "asr", "passage_no": n, "end_s": 30.0 * n + 29}
        for moment, (_, n, _) in zip(moments, places, strict=True)
    ]
    day = datetime(2026, 11, 20, tzinfo=UTC)
    embedded = [{"embedding": vector, "model": "m"} for vector in vectors.tolist()]
    return {
        "videos": [
            {"video_id": video, "status": "ok", "published_at": day} for video in (long, *short)
        ],
        "passages": [passage | {"text": "lecture"} for passage in passages],
        "passage_embeddings": [p | e for p, e in zip(passages, embedded, strict=True)],
        "frame_embeddings": [
            moment | {"frame_no": n} | e
            for moment, (_, n, _), e in zip(moments, places, embedded, strict=True)
        ],
    }


_FILED = {
    "Food": {"tag_id": 30, "path": "Food", "level": 1},
    "News: Weather": {"tag_id": 20, "path": "News: Weather", "level": 2},
}


def _tag(path: str, parent: int) -> dict[str, Any]:
    numbers = {"News": 10, "News: Weather": 20, "Food": 30}
    names = [path.split(": ")[-1]]
    return {"tag_id": numbers[path], "path": path, "level": parent + 1, "names": names} | {
        "parent_id": 10 * parent
    }


def _pair(copy: str, original: str, verdict: str, score: float) -> dict[str, Any]:
    return {
        "copy_id": copy,
        "original_id": original,
        "verdict": verdict,
        "score": score,
        "speed": 1.0,
        "copy_starts_s": [0.0, 6.0],
        "copy_ends_s": [5.0, 9.0],
        "original_starts_s": [1.0, 7.0],
        "original_ends_s": [6.0, 10.0],
        "reason": "made up",
    }


def _face(n: int, s: int) -> dict[str, Any]:
    where = {"x0": 0.4, "y0": 0.2, "x1": 0.6, "y1": 0.5, "score": 0.99, "size_px": 64}
    place = {"video_id": f"v{n:02}", "frame_no": 25 * s, "start_s": float(s), "duration_s": 1.0}
    return where | place | {"quality": 0.8, "flaw": "small" if s == 2 else ""}


def _person(person: int) -> dict[str, Any]:
    counted = {"size": 5 - person, "face_count": 10, "screen_s": 10.0}
    return counted | {
        "person_id": person,
        "name": "" if person else "Eileen",
        "is_known": person == 0,
        "best_video_id": "v01",
        "best_s": 1.0,
    }


def _appearance(n: int, no: int, person: int) -> dict[str, Any]:
    seen = {"screen_s": 2.0, "screen_share": 0.2, "face_count": 2, "rank": no + 1}
    times = {"first_s": 0.0, "best_s": 1.0, "starts_s": [0.0], "ends_s": [2.0]}
    return seen | times | {"video_id": f"v{n:02}", "person_no": no, "person_id": person}


def _member(video: str, score: float) -> dict[str, Any]:
    place = {"video_id": video, "group_id": "v01", "is_original": video == "v01"}
    return place | {"group_size": 3, "score": score}


def _video(n: int) -> dict[str, Any]:
    failed = n >= len(TITLES) - FAILED
    day = datetime(2026, 11, 1, 12, 30, 15, 678000, tzinfo=UTC) + timedelta(days=n)
    return {
        "video_id": f"v{n:02}",
        "uri": f"/clips/{n} ё.mp4",
        "published_at": None if n % 3 == 0 else day,
        "title": TITLES[n],
        "description": DESCRIPTIONS.get(n, ""),
        "licensed": n == 1,
        "status": "failed" if failed else "ok",
        "failure_kind": "permanent" if failed else "",
        "error": f"no moov atom at byte {n}" if failed else "",
        "warning": "ends in the middle of a frame" if n == 4 else "",
        "content_hash": "same" if n < 2 else f"hash {n}",
        "source_bytes": 1000 + n,
        "container": "mp4",
        "video_codec": "h264",
        "audio_codec": "" if n == 1 else "aac",
        "width": 320,
        "height": 180,
        "fps": 25.0,
        "duration_s": 0.0 if failed else 10.0 + n,
        "has_audio": n != 1 and not failed,
        "frame_count": 0 if failed else 250,
        "kept_frame_count": 0 if failed else 10,
        "plain_1fps_frame_count": 0 if failed else 12,
    }


def _frame(n: int, s: int) -> dict[str, Any]:
    place = {"video_id": f"v{n:02}", "frame_no": 25 * s, "start_s": float(s), "duration_s": 1.0}
    return place | {"is_shot_start": s % (n + 1) == 0, "width": 320, "height": 180}


def _segment(n: int, s: int) -> dict[str, Any]:
    return {
        "video_id": f"v{n:02}",
        "segment_no": s,
        "start_s": 3.0 * s,
        "end_s": 3.0 * s + 2,
        "text": f"tomorrow there will be heavy rain in city {n}",
        "language": "en" if n else "",
        "confidence": 0.5,
    }


def _line(n: int, s: int) -> dict[str, Any]:
    where = {"x0": 0.1, "y0": 0.8, "x1": 0.9, "y1": 0.9} if s else {"x1": 0.2, "y1": 0.1}
    return where | {
        "video_id": f"v{n:02}",
        "line_no": s,
        "start_s": 2.0 * s,
        "end_s": 2.0 * s + 3,
        "text": "Heavy RAIN tomorrow" if s else "News 24",
        "confidence": 0.9,
    }


def _text(n: int, channel: str) -> dict[str, Any]:
    text = TITLES[n] if channel == "title" else "tomorrow there will be heavy rain"
    return {"video_id": f"v{n:02}", "channel": channel, "text": text, "word_count": 6}


def _passages(n: int) -> Iterator[dict[str, Any]]:
    """Pieces of text, each of a line or segment; what v09 has on screen gave none."""
    yield _passage(n, "title", 0, {"text": TITLES[n]})
    if n in DESCRIPTIONS:
        yield _passage(n, "description", 0, {"text": DESCRIPTIONS[n]})
    yield _passage(n, "caption", 0, {"text": "Rain."})
    for s in range(3 if n % 2 == 0 else 0):
        yield _passage(n, "asr", s, _segment(n, s))
    for s in range(2 if n != 9 else 0):
        yield _passage(n, "ocr", s, _line(n, s))


def _passage(n: int, channel: str, no: int, source: dict[str, Any]) -> dict[str, Any]:
    words = [word.replace("ё", "е") for word in tokenise(source["text"])]
    return {
        "video_id": f"v{n:02}",
        "channel": channel,
        "passage_no": no,
        "start_s": source.get("start_s", 0.0),
        "end_s": source.get("end_s", 0.0),
        "text": source["text"],
        "words": words,
        "lemmas": [LEMMAS.get(word, word) for word in words],
    }


def _vocabulary(passages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words, and pairs of words, that several videos have, or a title."""
    videos, titles = Counter[str](), Counter[str]()
    seen: set[tuple[str, str, str]] = set()
    for p in passages:
        pairs = [" ".join(pair) for pair in pairwise(p["words"])]
        seen |= {(w, p["video_id"], p["channel"]) for w in [*p["words"], *pairs]}
    videos.update(w for w, _ in {(w, video) for w, video, _ in seen})
    titles.update(w for w, _, channel in seen if channel == "title")
    return [
        {"word": w, "lemma": " ".join(LEMMAS.get(part, part) for part in w.split())}
        | {"words": 1 + w.count(" "), "videos": videos[w], "title_videos": titles[w]}
        for w in sorted(videos)
        if videos[w] > 1 or titles[w]
    ]
