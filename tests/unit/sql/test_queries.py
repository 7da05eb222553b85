"""The cookbook: every file runs as it is and answers what its first line asks.

Answers are judged on the embedded engine. Over HTTP (a loopback shim, not a server), and on a
server where ``CLICKHOUSE_URL`` names one, every query must give the same.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

import sql
from assets.stores.clickhouse import ClickHouse
from orchestration.commands.sql_output import ask
from tests.unit.stores.clickhouse_shim import running
from tests.unit.tables.small_library import load_small_library

pytestmark = pytest.mark.slow

QUERIES = {file.name.removeprefix("queries/"): file for file in sql.queries()}
SERVER = "CLICKHOUSE_URL"
# Times of loading and sizes on disk differ from engine to engine.
OF_THE_ENGINE = {"loaded", "tables"}


@pytest.fixture(scope="module")
def clickhouse(small: Path) -> ClickHouse:
    return ClickHouse(f"chdb://{small}/state/clickhouse")


@pytest.fixture(scope="module")
def reader(clickhouse: ClickHouse) -> Iterator[Client]:
    with clickhouse.session("asking", read_only=True) as client:
        yield client


@pytest.fixture(scope="module", params=["shim", "server"])
def elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """The same library behind HTTP."""
    if request.param == "server":
        if not os.environ.get(SERVER):
            pytest.skip(f"NOT TESTED on a ClickHouse server: {SERVER} is not set")
        yield from loaded_reader(os.environ[SERVER])
        return
    directory: Path = tmp_path_factory.mktemp("shim") / "clickhouse"
    with running(directory) as url:
        yield from loaded_reader(url)


def loaded_reader(base: str) -> Iterator[Client]:
    database = f"kadr_test_{secrets.token_hex(4)}"
    clickhouse = ClickHouse(f"{base.rstrip('/')}/{database}")
    with clickhouse.session("loading") as client:
        load_small_library(client)
    try:
        with clickhouse.session("asking", read_only=True) as client:
            yield client
    finally:
        client = clickhouse_connect.get_client(dsn=base, interface="http")
        client.command(f"DROP DATABASE {database}")
        client.close()


def changed(name: str, **changes: str) -> str:
    """The statement of a query, after a user has put other values into its first lines."""
    text = QUERIES[name].text
    for value, other in changes.items():
        line = re.search(rf"^(WITH |    )(\S.* AS {value})\b", text, re.MULTILINE)
        assert line, value
        text = f"{text[: line.start(2)]}{other} AS {value}{text[line.end(2) :]}"
    (statement,) = sql.split(text)
    return statement


def rows(client: Client, statement: str) -> list[dict[str, Any]]:
    with ask(client, statement) as found:
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def answer(client: Client, name: str, **changes: str) -> list[dict[str, Any]]:
    """A query's rows, after a user has put other values into its text."""
    return rows(client, changed(name, **changes))


@pytest.mark.parametrize("name", QUERIES)
def test_query_says_what_it_answers_and_answers(reader: Client, name: str) -> None:
    assert QUERIES[name].text.startswith("-- ") and "?" in QUERIES[name].title
    assert answer(reader, name), "the made-up library has an example of everything that is asked"


def test_there_are_at_least_twenty_queries() -> None:
    assert len(QUERIES) >= 20


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - OF_THE_ENGINE))
def test_answer_is_the_same_over_http(reader: Client, elsewhere: Client, name: str) -> None:
    # Approximately: an engine may add numbers in another order.
    assert answer(elsewhere, name) == [
        {key: pytest.approx(v) if isinstance(v, float) else v for key, v in row.items()}
        for row in answer(reader, name)
    ]


def test_word_is_found_in_any_case_and_language(reader: Client) -> None:
    assert {row["on_screen"] for row in answer(reader, "on_screen", word="'heavy rain'")} == {
        "Heavy RAIN tomorrow"
    }


def test_place_on_screen_is_named(reader: Client) -> None:
    places = {row["on_screen"]: row["place"] for row in answer(reader, "on_screen")}
    assert places == {"Heavy RAIN tomorrow": "bottom centre", "News 24": "top left"}


def test_videos_count_under_every_tag_above_their_own(reader: Client) -> None:
    videos = {row["tag"]: row["videos"] for row in answer(reader, "tags")}
    assert videos == {"Food": 1, "News": 9, "News: Weather": 9}


def test_videos_whose_tag_is_in_doubt_come_with_the_least_sure_first(reader: Client) -> None:
    doubtful = [row["best"] for row in answer(reader, "unsure_tags")]
    assert doubtful == sorted(doubtful) and max(doubtful) < 0.5


def test_failures_are_counted_by_reason_and_not_by_number(reader: Client) -> None:
    (row,) = answer(reader, "failure_reasons")
    assert (row["reason"], row["videos"]) == ("no moov atom at byte N", 2)


def test_overview_adds_up(reader: Client) -> None:
    rows = {row["status"]: row for row in answer(reader, "overview")}
    assert (rows["ok"]["videos"], rows["failed"]["videos"]) == (10, 2)
    assert rows["ok"]["with_sound"] == 9


def test_silent_videos_are_those_without_speech(reader: Client) -> None:
    assert [row["video_id"] for row in answer(reader, "silent_videos")] == [
        "v09", "v07", "v05", "v03", "v01",
    ]  # fmt: skip


def test_titles_that_mean_the_same_are_a_pair(reader: Client) -> None:
    (row,) = answer(reader, "similar_titles")
    assert {row["title"], row["other_title"]} == {"Weather in Oslo", "Weather in Oslo, again"}


def test_nearest_video_is_the_one_with_the_nearest_vector(reader: Client) -> None:
    nearest = answer(reader, "nearest_videos", video="'v03'")
    distances = [row["distance"] for row in nearest]
    assert len(nearest) == 9 and distances == sorted(distances)
    assert "v03" not in {row["video_id"] for row in nearest}


def test_same_moment_in_another_video_is_the_nearest_frame(reader: Client) -> None:
    first = answer(reader, "nearest_frames", video="'v03'")[0]
    assert first["distance"] == pytest.approx(0, abs=1e-6)
    assert len({row["video_id"] for row in answer(reader, "nearest_frames")}) == 9


def test_word_that_is_said_while_shown_is_found(reader: Client) -> None:
    words = {tuple(sorted(row["words"])) for row in answer(reader, "said_and_shown")}
    assert words == {("heavy", "tomorrow")}


def test_shots_are_counted_and_their_lengths_add_up(reader: Client) -> None:
    rows = {row["video_id"]: row for row in answer(reader, "cut_rate")}
    assert (rows["v00"]["shots"], rows["v09"]["shots"]) == (10, 1)
    assert answer(reader, "longest_shots")[0]["seconds"] == 10


def test_savings_are_shown_per_batch_and_in_all(reader: Client) -> None:
    rows = answer(reader, "sampling_savings")
    assert [row["percent_saved"] for row in rows] == [16.7, 16.7]
    assert rows[-1]["batch_name"] == "(all)"


def test_each_topic_has_its_size_and_an_example(reader: Client) -> None:
    rows = answer(reader, "topics")
    assert [row["example"] for row in rows] == ["Weather in Oslo", "Weather in Oslo, again"]
    assert {row["topic"] for row in answer(reader, "topic_videos")} == {
        "(none)", "topic 0", "topic 1",
    }  # fmt: skip


def test_summary_has_one_row_for_each_good_video(reader: Client) -> None:
    rows = reader.query("SELECT * FROM video_summary ORDER BY video_id").named_results()
    by_id = {row["video_id"]: row for row in rows}
    assert len(by_id) == 10
    assert (by_id["v02"]["said_words"], by_id["v02"]["screen_lines"]) == (27, 2)
    assert (by_id["v01"]["said_words"], by_id["v01"]["topic"]) == (0, "topic 0")


def test_semicolons_end_statements_only_in_code() -> None:
    text = """
    -- one; with a comment
    SELECT ';', "a;b", `c;d`, 'it''s; \\'; ', $$;$$, $tag$ ; $tag$ /* ; */ # ; no
    FROM t;;
    SELECT 2; -- the end;
    """
    first, second = sql.split(text)
    assert first.startswith("-- one") and first.endswith("FROM t") and second == "SELECT 2"


def test_name_that_is_no_identifier_is_refused() -> None:
    with pytest.raises(ValueError, match="not a plain SQL name"):
        sql.statement("load/count_table", table="videos; DROP TABLE videos")


def test_no_two_migrations_carry_one_number_and_each_says_what_it_is() -> None:
    files = sql.migrations()
    assert [file.number for file in files] == list(range(1, len(files) + 1))
    assert all(file.text.startswith("-- ") for file in [*files, *sql.views()])


def test_copies_are_told_from_hard_cases(reader: Client) -> None:
    assert {row["verdict"] for row in answer(reader, "duplicates")} == {"duplicate", "partial"}
    assert [row["shared"] for row in answer(reader, "hard_cases")] == ["pictures", "sound"]
    assert answer(reader, "duplicates")[0]["seconds"] == "0-5, 6-9"


def test_groups_and_originals_are_counted(reader: Client) -> None:
    (group,) = answer(reader, "duplicate_groups")
    assert (group["original_id"], group["copy_ids"]) == ("v01", ["v02", "v04"])
    most = answer(reader, "most_copied")[0]
    assert (most["video_id"], most["copies"], most["seconds_copied"]) == ("v01", 2, 16)


def test_silence_and_blank_screens_leave_only_the_title(reader: Client) -> None:
    assert [row["video_id"] for row in answer(reader, "without_text")] == ["v09"]


def test_growth_is_counted_from_the_newest_video(reader: Client) -> None:
    grown = {(row["kind"], row["name"]): row for row in answer(reader, "what_grew")}
    counts = {key: (row["this_week"], row["week_before"]) for key, row in grown.items()}
    # v02, v04, v05, v07 and v08 are of the last seven days, v01 is older, others have no date.
    assert counts["topic", "topic 1"] == (3, 0) and counts["tag", "News: Weather"] == (4, 1)
    assert counts["keyword", "снег"] == (5, 1) and counts["person", "Eileen"] == (2, 1)
    assert {kind for kind, _ in grown} == {"topic", "tag", "keyword", "person"}


def test_words_of_this_week_alone_are_new(reader: Client) -> None:
    new = {row["word"] for row in answer(reader, "new_words")}
    assert {"zero", "lines"} <= new and not {"heavy", "weather", "сварим"} & new


def test_words_are_counted_once_in_the_week_they_came(reader: Client) -> None:
    newest, first = answer(reader, "vocabulary_growth")
    assert (newest["new_words"], newest["words_so_far"]) == (1, first["words_so_far"] + 1)


def test_title_unlike_those_of_its_tag_is_named(reader: Client) -> None:
    rows = answer(reader, "tags_against_title")
    assert [row["deviations"] for row in rows] == sorted(
        (r["deviations"] for r in rows), reverse=True
    )
    assert {row["tag"] for row in rows} == {"News: Weather"}, "one video says nothing of a tag"


def test_phrases_are_counted_by_videos(reader: Client) -> None:
    phrases = {
        row["said"]: (row["videos"], row["times"]) for row in answer(reader, "spoken_phrases")
    }
    assert phrases["be heavy rain"] == (5, 15) and len(phrases) == 6


def test_person_is_followed_through_texts_and_topics(reader: Client) -> None:
    said = answer(reader, "said_while_seen", person="0")
    assert {(row["video_id"], row["to_s"]) for row in said} == {
        ("v01", 2), ("v03", 2), ("v05", 2), ("v07", 2),
    }  # fmt: skip
    topics = {(r["person"], r["topic"]): r["videos"] for r in answer(reader, "person_topics")}
    assert topics["Eileen", "topic 0"] == 2 and topics["Eileen", "topic 1"] == 1


def test_copies_are_counted_in_the_week_they_came(reader: Client) -> None:
    (week,) = answer(reader, "copies_by_week")
    assert (week["copies"], week["of_videos"], week["of_earlier_weeks"]) == (3, 2, 0)


def test_keywords_of_every_video_are_together_by_chance(reader: Client) -> None:
    (pair,) = answer(reader, "keyword_pairs")
    assert (pair["videos"], pair["times_chance"]) == (10, 1)


def test_topic_comes_with_its_foremost_tags(reader: Client) -> None:
    tags = [
        (row["topic"], row["tag"], row["percent_of_topic"]) for row in answer(reader, "topic_tags")
    ]
    assert tags[0] == ("topic 0", "News: Weather", 75) and ("topic 1", "Food", 25) in tags


def test_licensed_seconds_are_named(reader: Client) -> None:
    (hit,) = answer(reader, "copyright_hits")
    assert (hit["video_id"], hit["licence_id"], hit["seconds"]) == ("v02", "v01", "0-5, 6-9")
