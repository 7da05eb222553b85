"""Search in SQL, in libraries of a test's own: other words, other vectors, indexes of vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from assets.stores.clickhouse import ClickHouse
from assets.tables.load import load_batch, replace_table
from ml.text.passages import words_and_lemmas
from tests.unit.sql.test_queries import answer, changed, rows
from tests.unit.sql.test_search import VECTORS, literal, load_vectors, plan, videos
from tests.unit.stores.engine import opened_copy
from tests.unit.tables.small_library import (
    BATCH,
    DIMENSION,
    alike_passages,
    record_batch,
    small_library,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def with_vectors(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passages and vectors, to be copied."""
    with (
        opened_copy(migrated, tmp_path_factory.mktemp("with-vectors")) as folder,
        tables_of(folder).session("loading") as client,
    ):
        load_vectors(client)
    return folder


def tables_of(folder: Path) -> ClickHouse:
    return ClickHouse(f"chdb://{folder}/state/clickhouse")


@pytest.fixture
def writer(with_vectors: Path, tmp_path: Path) -> Iterator[Client]:
    with (
        opened_copy(with_vectors, tmp_path) as folder,
        tables_of(folder).session("testing") as client,
    ):
        yield client


# Words


@pytest.fixture
def apostrophes(writer: Client) -> Client:
    """A library where v00 alone speaks: one text with apostrophes, a ligature and a numero sign."""
    text = "Don’t worry, rock'n'roll is the ﬁnal №5"
    words, lemmas = words_and_lemmas(text, str)
    said = {"video_id": "v00", "channel": "asr", "end_s": 9.0, "text": text}
    row = said | {"words": words, "lemmas": lemmas}
    load_batch(writer, "passages", BATCH, [record_batch("passages", [row])], "two")
    known = [{"word": "don't", "lemma": "don", "words": 1, "videos": 1}]
    replace_table(writer, "search_vocabulary", [record_batch("search_vocabulary", known)], "made")
    return writer


@pytest.mark.parametrize("name", ["said", "about", "best_passages", "phrase"])
def test_typed_words_are_split_as_those_of_passages(apostrophes: Client, name: str) -> None:
    for typed in ("don't", "DON’T", "rock’n’roll", "'worry'", "ﬁnal", "№5"):
        assert videos(answer(apostrophes, name, typed=literal(typed))) == ["v00"], typed


def test_phrase_with_apostrophes_is_found(apostrophes: Client) -> None:
    for typed in ("Don't worry", "don’t worry rock'n'roll", "the final no5"):
        assert videos(answer(apostrophes, "phrase", typed=literal(typed))) == ["v00"], typed
    for typed in ("don", "don t worry", "rock n roll"):
        assert answer(apostrophes, "phrase", typed=literal(typed)) == [], typed


def test_word_with_an_apostrophe_is_suggested_and_recognised(apostrophes: Client) -> None:
    for typed in ("don'", "Don’"):
        assert [r["word"] for r in answer(apostrophes, "suggest", typed=literal(typed))] == [
            "don't"
        ]
    (meant,) = answer(apostrophes, "typos", typed="'dont’t'")
    assert (meant["word"], meant["edits"]) == ("don't", 1)


# Vectors


LECTURE, SHORT = "lecture", ["b0", "b1", "b2", "b3", "b4"]
OF_LECTURE = {
    "query": f"(SELECT any(embedding) FROM frame_embeddings WHERE video_id = '{LECTURE}')"
}
ASKED_OF_LECTURE = {
    "nearest_passages": ({"video": literal(LECTURE)}, SHORT),
    "search_by_vector": (OF_LECTURE, [*SHORT, LECTURE]),
    "search_by_vector_since": (OF_LECTURE, [*SHORT, LECTURE]),
}


def load_lecture(client: Client, passages: int) -> None:
    """A lecture of like passages, and five videos, each with one that is further off."""
    for table, loaded in alike_passages(LECTURE, passages, SHORT).items():
        load_batch(client, table, BATCH, [record_batch(table, loaded)], "a lecture")


@pytest.mark.parametrize("passages", [300, 3000])
@pytest.mark.parametrize("name", ASKED_OF_LECTURE)
def test_long_lecture_does_not_crowd_out_other_videos(
    writer: Client, name: str, passages: int
) -> None:
    load_lecture(writer, passages)
    asked, expected = ASKED_OF_LECTURE[name]
    assert sorted(videos(answer(writer, name, **asked))) == expected


@pytest.mark.parametrize(
    ("name", "table"),
    [("nearest_passages", "passage_embeddings"), ("search_by_vector", "frame_embeddings")],
)
def test_long_lecture_does_not_crowd_out_other_videos_of_a_vector_index(
    writer: Client, name: str, table: str
) -> None:
    # An index is asked for 1,000 rows at most unless the query allows more.
    load_lecture(writer, 3000)
    add_vector_index(writer, table)
    asked, expected = ASKED_OF_LECTURE[name]
    assert "vector_index" in plan(writer, changed(name, **asked))
    assert sorted(videos(answer(writer, name, **asked))) == expected


@pytest.mark.parametrize("name", ASKED_OF_LECTURE)
def test_library_without_vectors_finds_nothing(writer: Client, name: str) -> None:
    for table in VECTORS:
        load_batch(writer, table, BATCH, [record_batch(table, [])], "none")
    assert answer(writer, name) == []


# Indexes


def test_passages_of_a_batch_that_was_loaded_again_are_the_new_ones(writer: Client) -> None:
    new = {"video_id": "v00", "channel": "title", "text": "New", "words": ["new"]}
    load_batch(
        writer, "passages", BATCH, [record_batch("passages", [new | {"lemmas": ["new"]}])], "two"
    )
    for column, word, count in (("words", "new", 1), ("lemmas", "weather", 0)):
        text = f"SELECT count() FROM passages WHERE has({column}, '{word}')"
        assert writer.query(text).first_row == (count,)


def add_vector_index(client: Client, table: str) -> None:
    """What a reader of `vector_index.sql` does."""
    (row,) = (r for r in rows(client, changed("vector_index")) if r["table"] == table)
    assert not row["has_index"] and row["lengths"] == [DIMENSION]
    client.command(row["statement"])
    (row,) = (r for r in rows(client, changed("vector_index")) if r["table"] == table)
    assert row["has_index"]


def test_vector_index_is_used_and_finds_the_same(writer: Client) -> None:
    asked = {"passage_embeddings": "nearest_passages", "frame_embeddings": "search_by_vector"}
    for table, name in asked.items():
        exact = answer(writer, name)
        assert "vector_index" not in plan(writer, changed(name))
        add_vector_index(writer, table)
        assert "vector_index" in plan(writer, changed(name))
        found = answer(writer, name)
        assert set(videos(found)) == set(videos(exact))
        # The index keeps 16 bits of each number.
        distances = [row["distance"] for row in exact]
        assert [row["distance"] for row in found] == pytest.approx(distances, abs=0.01)


def test_filter_comes_before_the_vector_index(writer: Client) -> None:
    before = answer(writer, "search_by_vector_since")
    add_vector_index(writer, "frame_embeddings")
    assert "vector_index" not in plan(writer, changed("search_by_vector_since"))
    assert answer(writer, "search_by_vector_since") == before


def test_batches_are_loaded_into_a_table_with_a_vector_index(writer: Client) -> None:
    add_vector_index(writer, "passage_embeddings")
    few = [record_batch("passage_embeddings", small_library()["passage_embeddings"][:5])]
    assert load_batch(writer, "passage_embeddings", BATCH, few, "two").rows == 5
    wrong = small_library()["passage_embeddings"][0] | {"embedding": [1.0, 0.0]}
    with pytest.raises(Error, match="vector similarity index have 2 elements, expects 16"):
        load_batch(
            writer, "passage_embeddings", BATCH, [record_batch("passage_embeddings", [wrong])], "3"
        )
    assert writer.query("SELECT count() FROM passage_embeddings").first_row == (5,)


def test_vectors_of_several_lengths_are_offered_no_index(writer: Client) -> None:
    longer = small_library()["video_embeddings"][0] | {"embedding": [1.0] * (DIMENSION + 1)}
    batch = [record_batch("video_embeddings", [longer])]
    load_batch(writer, "video_embeddings", "2026-11-20-002", batch, "a")
    (row,) = (r for r in rows(writer, changed("vector_index")) if r["table"] == "video_embeddings")
    assert not row["advised"] and row["statement"] == ""
