"""From tables to answers: what search finds, folds, filters, says, and does not do again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assets.search.engine import Filters, NotSearchable, Search
from assets.stores.resources import Models
from ml.search.query import QueryError
from tests.unit.search.nights import SearchNights, day
from tests.unit.stores.engine import opened_copy

pytestmark = pytest.mark.slow

FIRST, SECOND = "2026-11-20-001", "2026-11-21-001"
CAT = {
    "title": "Белая кошка спит",
    "published_at": day(1),
    "asr": [(0.0, 4.0, "hello everybody"), (40.0, 44.0, "the kitten is asleep on the sofa")],
}
GAME = {
    "title": "Играем в роблокс",
    "published_at": day(10),
    "ocr": [(7.0, 9.0, "Brawl Stars"), (7.5, 9.0, "Level 5")],
}
NEWS = {
    "title": "Evening news",
    "description": "Prices and money. The central bank speaks.",
    "published_at": day(20),
    "asr": [(3.0, 9.0, "the price of bread rises again this year and next year")],
}
VIDEOS = {"cat": CAT, "game": GAME, "news": NEWS}


WITH_TEXT_MODEL = Models(device="cpu", visual="off")


@pytest.fixture(scope="module")
def of_words(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library without vectors, to be copied."""
    with opened_copy(migrated, tmp_path_factory.mktemp("of-words")) as folder:
        made = SearchNights(folder)
        made.batch(FIRST, VIDEOS)
        made.night()
    return folder


@pytest.fixture
def nights(of_words: Path, tmp_path: Path) -> Iterator[SearchNights]:
    with opened_copy(of_words, tmp_path) as folder:
        yield SearchNights(folder)


@pytest.fixture(scope="module")
def embedded(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose texts have vectors of the packaged model: to be copied, or only read."""
    with opened_copy(migrated, tmp_path_factory.mktemp("embedded")) as folder:
        made = SearchNights(folder, WITH_TEXT_MODEL)
        made.batch(FIRST, VIDEOS)
        made.groups(("game", "game-copy"))
        made.night()
    return folder


@pytest.fixture
def embedded_nights(embedded: Path, tmp_path: Path) -> Iterator[SearchNights]:
    with opened_copy(embedded, tmp_path) as folder:
        yield SearchNights(folder, WITH_TEXT_MODEL)


@pytest.fixture(scope="module")
def kept(embedded: Path) -> SearchNights:
    return SearchNights(embedded, WITH_TEXT_MODEL)


@pytest.fixture(scope="module")
def opened(kept: SearchNights) -> Search:
    """The same, open, with its models loaded."""
    return kept.search()


@pytest.mark.parametrize(
    ("query", "video", "channel", "moment_s"),
    [
        ("кошки", "cat", "title", 0.0),
        ("kitten asleep", "cat", "speech", 40.0),
        ("bravl stars", "game", "screen", 7.0),
        ("бравл старс", "game", "screen", 7.0),
        ("roblox", "game", "title", 0.0),
        ("bank", "news", "title", 0.0),
        ('"price of bread"', "news", "speech", 3.0),
    ],
)
def test_words_in_any_form_and_alphabet_find_the_moment(
    opened: Search, query: str, video: str, channel: str, moment_s: float
) -> None:
    best = opened.run(query).found[0]
    assert (best.video_id, best.best.channel) == (video, channel)
    assert best.best.start_s == pytest.approx(moment_s, abs=2.0)
    assert best.channels[channel] == max(best.channels.values())
    assert best.card is not None and best.card.title == VIDEOS[video]["title"]


def test_meaning_is_found_without_a_shared_word(opened: Search) -> None:
    best = opened.run("a young pet that sleeps").found[0]
    assert (best.video_id, best.best.channel) == ("cat", "speech")
    assert best.best.text == "the kitten is asleep on the sofa"


def test_russian_is_not_compared_by_a_model_that_knows_english_alone(opened: Search) -> None:
    result = opened.run("спящая зверушка")
    assert any("English alone" in note for note in result.notes)


def test_title_names_the_second_at_which_the_same_is_said(opened: Search) -> None:
    best = opened.run("news about the price of bread").found[0]
    assert best.video_id == "news"
    assert best.moment_s == pytest.approx(3.0, abs=2.0)


def test_phrase_in_quotes_is_exact(opened: Search) -> None:
    assert opened.run('"bread of price"').found == []
    assert [found.video_id for found in opened.run('"rises again"').found] == ["news"]


def test_mistyped_word_is_corrected_and_said(opened: Search) -> None:
    result = opened.run("evning news")
    assert result.found[0].video_id == "news"
    assert "“evening” instead of “evning”" in result.query.said


def test_words_of_the_library_are_suggested(opened: Search) -> None:
    assert [s.text for s in opened.suggest("робл")] == ["роблокс"]
    assert [s.text for s in opened.suggest("hj,k")] == ["роблокс"]


@pytest.mark.parametrize("channel", ["title", "speech", "screen"])
def test_channels_can_be_asked_alone(opened: Search, channel: str) -> None:
    for query in ("news price", "brawl", "кошка"):
        for found in opened.run(query, filters=Filters((channel,))).found:
            assert set(found.channels) == {channel}


def test_only_later_videos_answer(opened: Search) -> None:
    filters = Filters(since=day(10))
    assert "cat" not in [f.video_id for f in opened.run("kitten asleep", 10, filters).found]
    assert opened.run("roblox", 10, filters).found[0].video_id == "game"


def test_unknown_topic_or_person_is_named(opened: Search) -> None:
    for filters in (Filters(topic="chess"), Filters(person="99")):
        with pytest.raises(NotSearchable, match=r"(chess|99).*kadr (topics|people)"):
            opened.run("news", filters=filters)


@pytest.mark.parametrize(
    "query",
    ["", "   ", "?!...", '"', "😀😀", "word " * 2000, "a\0b"],
)
def test_query_with_nothing_to_look_up_is_refused_in_words(opened: Search, query: str) -> None:
    with pytest.raises(QueryError, match=r"\w+ \w+"):
        opened.run(query)


@pytest.mark.parametrize(
    "query", ["'; DROP TABLE videos; --", 'a"', "кошка 😀", "a' OR '1'='1", "как в"]
)
def test_signs_and_sql_are_only_text(opened: Search, query: str) -> None:
    opened.run(query)
    assert opened.run("evening news").found[0].video_id == "news"


def test_copies_are_one_answer(nights: SearchNights) -> None:
    nights.batch(SECOND, {"cat-copy": CAT | {"published_at": day(2)}})
    nights.groups(("cat", "cat-copy"))
    nights.night()
    (answer,) = nights.search().run("кошка").found
    assert {answer.video_id, *answer.copies} == {"cat", "cat-copy"}


def test_rerun_batch_replaces_its_own_and_deleted_videos_disappear(nights: SearchNights) -> None:
    nights.batch(FIRST, {"game": GAME | {"title": "Шахматы"}, "news": NEWS})
    nights.night()
    assert nights.found("шахматы") == ["game"]
    assert nights.found("роблокс") == []
    assert nights.found("кошка") == []


def test_video_that_failed_is_not_found(nights: SearchNights) -> None:
    nights.batch(FIRST, VIDEOS | {"cat": CAT | {"status": "failed", "asr": []}})
    nights.night()
    assert nights.found("кошка") == []
    assert nights.found("роблокс") == ["game"]


def test_night_without_news_changes_no_file(nights: SearchNights) -> None:
    def files() -> dict[str, tuple[int, int]]:
        paths = [path for path in nights.indexes.rglob("*") if path.is_file()]
        return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in paths}

    before = files()
    nights.night()
    assert files() == before


def test_batches_that_came_since_are_told(nights: SearchNights) -> None:
    assert nights.search().run("роблокс").notes == []
    nights.batch(SECOND, {"new": GAME})
    (note,) = nights.search().run("роблокс").notes
    assert "1 batches" in note and SECOND in note and "kadr index" in note


@pytest.mark.parametrize("name", ["lexical_index", "search_cards", "vocabulary"])
def test_missing_index_names_the_command_that_mends_it(nights: SearchNights, name: str) -> None:
    shutil.rmtree(nights.indexes / name)
    with pytest.raises(NotSearchable, match=f"{name} .*kadr index"):
        nights.search().run("роблокс")
    nights.night()
    assert nights.found("роблокс") == ["game"]


def test_long_streams_do_not_crowd_out_the_others(library_folder: Path) -> None:
    nights = SearchNights(library_folder)
    said = [(40.0 * n, 40.0 * n + 5, "we play minecraft now") for n in range(30)]
    videos = {f"long{n}": {"title": f"Stream {n}", "asr": said} for n in range(3)}
    once = [(5.0, 12.0, "today a little about minecraft and building houses in it")]
    videos |= {f"once{n:02}": {"title": f"Clip {n}", "asr": once} for n in range(20)}
    videos |= {f"t{n:03}": {"title": f"Chess lesson {n}"} for n in range(120)}
    nights.batch(FIRST, videos)
    nights.groups([f"t{n:03}" for n in range(60)])
    nights.night()
    assert len(nights.found("minecraft", k=50)) == 23
    assert len(nights.found("chess lesson", k=1000)) == 61
    assert len(nights.found("chess lesson", k=10)) == 10


def test_word_that_only_one_video_says_is_not_corrected(library_folder: Path) -> None:
    nights = SearchNights(library_folder)
    videos = {f"v{n}": {"title": "Zarik in the garden"} for n in range(3)}
    videos["said"] = {"title": "Guest", "asr": [(3.0, 6.0, "this is Zorik from the village")]}
    nights.batch(FIRST, videos)
    nights.night()
    result = nights.search().run("zorik")
    assert (result.found[0].video_id, result.query.said) == ("said", "")


def test_caption_has_no_moment_of_its_own(library_folder: Path) -> None:
    nights = SearchNights(library_folder)
    said = [(200.0, 203.0, "look the cat")]
    nights.batch(FIRST, {"v": {"title": "Home", "caption": "a white cat asleep", "asr": said}})
    nights.night()
    (found,) = nights.search().run("white cat asleep").found
    assert found.best.channel == "visual"
    assert found.moment_s == pytest.approx(200.0, abs=3.0)


def test_vectors_of_videos_that_all_failed_are_gone(library_folder: Path) -> None:
    nights = SearchNights(library_folder, WITH_TEXT_MODEL)
    nights.batch(FIRST, {"a": {"title": "white kitten"}, "b": {"title": "black dog"}})
    nights.night()
    nights.batch(FIRST, {v: {"status": "failed", "title": "x"} for v in ("a", "b")})
    nights.night()
    assert nights.found("white kitten") == []


def test_batch_of_an_earlier_version_is_told(nights: SearchNights) -> None:
    (nights.folder / "data" / "datasets" / "passages" / f"{FIRST}.parquet").unlink()
    nights.night()
    (note,) = nights.search().run("роблокс").notes
    assert FIRST in note and "kadr ingest SOURCE --all" in note


def test_damage_that_keeps_the_size_is_told_and_mended(nights: SearchNights) -> None:
    (index,) = (nights.indexes / "lexical_index").rglob("*.term")
    data = bytearray(index.read_bytes())
    data[-40:-20] = b"x" * 20
    index.write_bytes(bytes(data))
    with pytest.raises(NotSearchable, match="kadr index"):
        nights.search().run("роблокс")
    nights.night()
    assert nights.found("роблокс") == ["game"]


def test_vocabulary_of_yesterday_is_made_anew(nights: SearchNights) -> None:
    path = nights.indexes / "vocabulary" / "words.arrow"
    old = path.read_bytes()
    nights.batch(SECOND, {"new": {"title": "Zebra crossing"}})
    nights.night()
    path.write_bytes(old)
    nights.night()
    assert [found.text for found in nights.search().suggest("zeb")] == ["zebra"]


def test_open_session_takes_up_last_nights_videos(nights: SearchNights) -> None:
    search = nights.search()
    assert search.run("зебра").found == []
    nights.batch(SECOND, {"new": {"title": "Зебра"}})
    nights.night()
    search.refresh()
    assert [found.video_id for found in search.run("зебра").found] == ["new"]


def test_channel_without_vectors_is_told_when_it_is_asked_for(nights: SearchNights) -> None:
    (note,) = nights.search().run("роблокс", filters=Filters(("visual",))).notes
    assert "visual is searched by captions only" in note


def test_library_that_is_none_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(NotSearchable, match="kadr ingest"):
        SearchNights(tmp_path).search().run("word")


@pytest.mark.parametrize("name", ["lexical_index", "title_index", "search_cards", "vocabulary"])
def test_damaged_index_is_told_and_built_anew(embedded_nights: SearchNights, name: str) -> None:
    nights = embedded_nights
    files = [path for path in (nights.indexes / name).rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-7])
    with pytest.raises(NotSearchable, match=f"{name} .*kadr index"):
        nights.search().run("evening news")
    nights.night()
    assert nights.found("evening news")[0] == "news"


def test_vectors_of_another_model_are_left_out_and_told(kept: SearchNights, tmp_path: Path) -> None:
    search = kept.search()
    search.models = Models(device="cpu", visual="off", text=str(_other_model(tmp_path)))
    result = search.run("evening news")
    assert result.found[0].video_id == "news"
    assert any("title is searched by words only" in note for note in result.notes)


def _other_model(folder: Path) -> Path:
    from tests.unit.visual.tiny_clip import save_clip

    return save_clip(folder / "other")


def test_pictures_are_found_by_words_where_the_model_knows_them(library_folder: Path) -> None:
    models = Models(device="cpu", text="off", visual=str(_other_model(library_folder)))
    nights = SearchNights(library_folder, models)
    from assets.stores.models import text_tower

    tower = text_tower(nights.models)
    red = tower.embed_query("a red square")
    rng = np.random.default_rng(0)
    others = rng.normal(size=(40, len(red))).astype(np.float32)
    others -= np.outer(others @ red, red)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    shown = {f"v{n}": {"visual": others[2 * n : 2 * n + 2]} for n in range(20)}
    shown["v7"] = {"visual": [others[14], red]}
    nights.batch(FIRST, shown)
    nights.night()
    best = nights.search().run("a red square", filters=Filters(("visual",))).found[0]
    assert (best.video_id, best.best.frame_no, best.moment_s) == ("v7", 25, 1.0)
