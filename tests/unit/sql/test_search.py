"""Search in SQL: words in any form, phrases, pieces, typos and vectors, and their indexes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from assets.stores.clickhouse import ClickHouse
from assets.tables.load import load_batch
from tests.unit.sql.test_queries import answer, changed
from tests.unit.stores.clickhouse_shim import running
from tests.unit.tables.small_library import (
    BATCH,
    record_batch,
    small_library,
)

pytestmark = pytest.mark.slow

VECTORS = ("frame_embeddings", "passage_embeddings", "video_embeddings")
# In the place of a value that a user types: quotes, SQL, nothing to look for, far too much of it.
ODD = ("", "?!... -- ;", "😀", "'; DROP TABLE videos; --", "\\", "%", "\0", "слово " * 2000)


@pytest.fixture(scope="module")
def clickhouse(small: Path) -> ClickHouse:
    return ClickHouse(f"chdb://{small}/state/clickhouse")


@pytest.fixture(scope="module")
def reader(clickhouse: ClickHouse) -> Iterator[Client]:
    with clickhouse.session("asking", read_only=True) as client:
        yield client


def load_vectors(client: Client) -> None:
    library = small_library()
    for table in ("videos", "passages", *VECTORS):
        load_batch(client, table, BATCH, [record_batch(table, library[table])], "made up")


def plan(client: Client, statement: str) -> str:
    return "\n".join(r[0] for r in client.query(f"EXPLAIN indexes = 1 {statement}").result_rows)


def videos(found: list[dict[str, Any]]) -> list[str]:
    return [row["video_id"] for row in found]


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


# Words


@pytest.mark.parametrize("typed", ["борща", "борщ", "БОРЩА"])
def test_word_is_found_in_its_other_forms(reader: Client, typed: str) -> None:
    (found,) = answer(reader, "about", typed=literal(typed))
    assert (found["video_id"], found["found_in"]) == ("v02", ["description", "title"])


def test_word_of_one_video_alone_is_found_though_the_vocabulary_lacks_it(reader: Client) -> None:
    vocabulary = "SELECT count() FROM search_vocabulary WHERE word = 'сварим'"
    assert reader.query(vocabulary).first_row == (0,)
    for name in ("about", "best_passages"):
        assert videos(answer(reader, name, typed="'Сварим'")) == ["v02"]


def test_plural_finds_what_is_said_in_the_singular(reader: Client) -> None:
    said = answer(reader, "said", typed="'cities'")
    assert {row["said"][-6:-2] for row in said} == {"city"} and len(said) == 15


def test_word_that_the_library_lacks_finds_nothing(reader: Client) -> None:
    assert answer(reader, "said", typed="'снег'") == answer(reader, "about", typed="'снега'") == []


def test_ё_is_е(reader: Client) -> None:
    assert videos(answer(reader, "about", typed="'ЁЛКА'")) == ["v04"]
    assert videos(answer(reader, "about", typed="'елка'")) == ["v04"]


def test_video_with_more_of_the_words_comes_first(reader: Client) -> None:
    found = answer(reader, "about", typed="'oslo again борщ'")
    assert [(r["video_id"], r["words_found"]) for r in found] == [
        ("v01", 2),
        ("v02", 1),
        ("v00", 1),
    ]


def test_rare_words_weigh_more_and_scores_are_bm25(reader: Client) -> None:
    found = answer(reader, "best_passages", typed="'rain oslo'")
    assert found[0]["text"] == "Weather in Oslo"
    scores = {(r["video_id"], r["channel"], r["from_s"]): r["score"] for r in found}
    expected = bm25({"rain", "oslo"})
    assert len(scores) == len(expected) > 20
    assert scores == {key: pytest.approx(score, abs=0.006) for key, score in expected.items()}


def bm25(wanted: set[str]) -> dict[tuple[str, str, float], float]:
    """Of every passage with one of the lemmas, word by word as the formula has it."""
    passages = small_library()["passages"]
    mean = np.mean([len(p["words"]) for p in passages])
    held = {w: sum(w in p["lemmas"] for p in passages) for w in wanted}
    scores = {}
    for p in passages:
        score = 0.0
        for word in wanted & set(p["lemmas"]):
            idf = math.log(1 + (len(passages) - held[word] + 0.5) / (held[word] + 0.5))
            count = p["lemmas"].count(word)
            length = 0.25 + 0.75 * len(p["words"]) / mean
            score += idf * count * 2.2 / (count + 1.2 * length)
        if score:
            scores[p["video_id"], p["channel"], p["start_s"]] = score
    return scores


# Phrases and pieces


def test_phrase_is_found_in_its_order_at_its_second(reader: Client) -> None:
    found = answer(reader, "phrase", typed="'Heavy rain'")
    assert {row["channel"] for row in found} == {"asr", "ocr"}
    # The fifth word of nine that take two seconds.
    assert found[0]["at_s"] == 0.9 and found[0]["text"].startswith("tomorrow there will be heavy")
    assert answer(reader, "phrase", typed="'rain heavy'") == []


@pytest.mark.parametrize("piece", ["eavy ra", "NEWS 2", "ws 24", "24"])
def test_piece_on_screen_is_found_across_words(reader: Client, piece: str) -> None:
    found = answer(reader, "screen_piece", typed=literal(piece))
    assert len(found) == 9 and all(piece.lower() in row["on_screen"].lower() for row in found)


def test_signs_of_patterns_stand_for_themselves(reader: Client) -> None:
    for typed in ("%", "_ews", "%ews", "\\"):
        assert answer(reader, "screen_piece", typed=literal(typed)) == []


@pytest.mark.parametrize("name", ["about", "best_passages", "said", "phrase", "suggest", "typos"])
def test_odd_input_gives_an_answer_and_no_error(reader: Client, name: str) -> None:
    for typed in ODD:
        found = answer(reader, name, typed=literal(typed))
        if name not in {"suggest", "typos"}:
            # One title is just that piece of SQL.
            assert set(videos(found)) == ({"v03"} if "DROP" in typed and name != "said" else set())


# Suggestions and typos


def test_suggestions_start_with_what_is_typed_and_titles_come_first(reader: Client) -> None:
    found = [row["word"] for row in answer(reader, "suggest", typed="'Wea'")]
    assert found[0] in {"weather", "weather in"} and all(w.startswith("wea") for w in found)
    assert answer(reader, "suggest", typed="'рец'")[0]["word"] == "рецепт"


@pytest.mark.parametrize(
    ("typed", "meant"), [("wether", "weather"), ("tommorow", "tomorrow"), ("рицепт", "рецепт")]
)
def test_mistyped_word_is_recognised(reader: Client, typed: str, meant: str) -> None:
    assert answer(reader, "typos", typed=literal(typed))[0]["word"] == meant


def test_short_word_is_allowed_one_mistake(reader: Client) -> None:
    assert [row["word"] for row in answer(reader, "typos", typed="'oslp'")] == ["oslo"]
    assert answer(reader, "typos", typed="'ostp'") == []


# Vectors


def test_same_words_said_elsewhere_are_the_nearest_passage(reader: Client) -> None:
    found = answer(reader, "nearest_passages", video="'v00'")
    assert found[0]["video_id"] == "v01" and found[0]["distance"] < 0.001
    assert len(videos(found)) == len(set(videos(found))) and "v00" not in videos(found)


def test_channels_are_fused_by_rank(reader: Client) -> None:
    first = answer(reader, "similar_videos", video="'v00'")[0]
    assert first["video_id"] == "v01" and len(first["distances"]) == 3


def test_given_vector_finds_the_moments_with_the_nearest_frames(reader: Client) -> None:
    frames = small_library()["frame_embeddings"]
    wanted = np.array(next(f["embedding"] for f in frames if f["video_id"] == "v07"))
    found = answer(reader, "search_by_vector", query=str(wanted.tolist()))
    nearest: dict[str, float] = {}
    for frame in frames:
        distance = 1 - float(np.dot(wanted, frame["embedding"]))
        nearest[frame["video_id"]] = min(distance, nearest.get(frame["video_id"], 2))
    got = {row["video_id"]: row["distance"] for row in found}
    assert got == {v: pytest.approx(d, abs=2e-4) for v, d in nearest.items()}


def test_vector_is_taken_as_a_parameter(reader: Client) -> None:
    vector = small_library()["frame_embeddings"][25]["embedding"]
    names = ("search_by_vector", "search_by_vector_since")
    for name in names:
        parameter = changed(name, query="{query:Array(Float32)}")
        found = reader.query(parameter, parameters={"query": vector}).result_rows
        expected = answer(reader, name, query=str(vector))
        assert [row[0] for row in found] == videos(expected)
        assert [row[-1] for row in found] == pytest.approx([r["distance"] for r in expected])


def test_vector_is_taken_as_a_parameter_over_http(reader: Client, tmp_path: Path) -> None:
    parameter = changed("search_by_vector", query="{query:Array(Float32)}")
    given = {"query": small_library()["frame_embeddings"][25]["embedding"]}
    with running(tmp_path / "clickhouse") as url, ClickHouse(url).session("testing") as client:
        load_vectors(client)
        there = client.query(parameter, parameters=given).result_rows
    assert there == reader.query(parameter, parameters=given).result_rows


def test_only_new_videos_are_searched_when_asked(reader: Client) -> None:
    found = answer(reader, "search_by_vector_since")
    assert set(videos(found)) == {"v02", "v04", "v05", "v07", "v08"}


def test_vector_of_another_length_finds_nothing(reader: Client) -> None:
    for name in ("search_by_vector", "search_by_vector_since"):
        assert answer(reader, name, query="[1, 0, 0]") == []


# Indexes


@pytest.mark.parametrize(
    ("name", "index"),
    [
        *(("about", "lemmas_index"), ("best_passages", "lemmas_index"), ("said", "lemmas_index")),
        *(("phrase", "words_index"), ("screen_piece", "letters_index")),
    ],
)
def test_words_are_looked_up_in_an_index(reader: Client, name: str, index: str) -> None:
    assert index in plan(reader, changed(name))


def test_suggestions_read_the_words_that_start_so_and_no_others(reader: Client) -> None:
    assert "Keys:" in plan(reader, changed("suggest"))
