"""The lexical index: what is found, where in a passage, and what survives updates and damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ml.indexes.files import MANIFEST
from ml.search import lexical_index
from ml.search.lexical_files import read_manifest
from ml.search.lexical_index import (
    IndexDamaged,
    LexicalHit,
    LexicalIndex,
    LexicalQuery,
    LexicalReport,
    update_lexical,
)
from ml.search.lexical_matching import EXACT, OTHER_FORM, SAME_SOUND, sound_of
from ml.text.passages import passages_of

LEMMAS = {"коты": "кот", "котов": "кот", "играем": "играть", "играть": "играть", "сапогах": "сапог"}


def lemma(word: str) -> str:
    return LEMMAS.get(word, word)


def video(video_id: str, **texts: str | tuple[float, float, str]) -> list[dict[str, Any]]:
    """The passages of a video of one text in each channel."""
    given = {c: [(0.0, 0.0, t) if isinstance(t, str) else t] for c, t in texts.items()}
    timed = {c: [(*t, "ru") for t in of] for c, of in given.items()}
    return [passage.row(video_id) for passage in passages_of(timed, lemma)]


class Library:
    """Batches to read, and which of them were read."""

    def __init__(self, **batches: list[list[dict[str, Any]]]) -> None:
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.fingerprints: dict[str, str] = {}
        self.read_names: list[str] = []
        for name, videos in batches.items():
            self.set(name, *videos)

    def set(self, name: str, *videos: list[dict[str, Any]]) -> None:
        self.batches[name] = [row for rows in videos for row in rows]
        self.fingerprints[name] = str(int(self.fingerprints.get(name, "0")) + 1)

    def drop(self, name: str) -> None:
        del self.batches[name], self.fingerprints[name]

    def read(self, name: str) -> Iterator[pa.RecordBatch]:
        self.read_names.append(name)
        if rows := self.batches[name]:
            yield pa.RecordBatch.from_pylist(rows)

    def update(self, folder: Path, **how: Any) -> LexicalReport:
        self.read_names.clear()
        return update_lexical(folder, self.fingerprints, self.read, **how)


def small() -> Library:
    return Library(
        a=[
            video(
                "v1",
                title="Играем в Brawl Stars",
                asr=(10.0, 20.0, "сегодня мы играем в роблокс и котов нет"),
            ),
            video("v2", title="Кот в сапогах", asr=(0.0, 8.0, "в сапогах кот ходит")),
        ],
        b=[video("v3", title="Roblox 2024", ocr=(3.0, 4.0, "кот"))],
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder = tmp_path_factory.mktemp("index")
    small().update(folder)
    return LexicalIndex.open(folder)


def search(index: LexicalIndex, *words: str, **how: Any) -> list[LexicalHit]:
    return index.search(LexicalQuery(words, (), [lemma(word) for word in words]), **how)


def quoted(index: LexicalIndex, *phrases: str) -> list[LexicalHit]:
    """A search for quoted phrases, whose words are words of the query as well."""
    split = [phrase.split() for phrase in phrases]
    words = [word for phrase in split for word in phrase]
    return index.search(LexicalQuery(words, split, [lemma(word) for word in words]))


def places(hits: list[LexicalHit]) -> set[tuple[str, str]]:
    return {(hit.video_id, hit.channel) for hit in hits}


def bytes_of(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_word_is_found_in_every_form_and_the_exact_one_comes_first(index: LexicalIndex) -> None:
    hits = search(index, "кот")
    assert places(hits) == {("v1", "asr"), ("v2", "asr"), ("v2", "title"), ("v3", "ocr")}
    assert [hit.share for hit in hits[:3]] == [EXACT] * 3
    assert hits[3].video_id == "v1"
    assert hits[3].share == pytest.approx(OTHER_FORM)
    assert [hit.bm25 for hit in hits] == sorted((hit.bm25 for hit in hits), reverse=True)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("бравл", ("v1", "title")),
        ("старс", ("v1", "title")),
        ("roblox", ("v1", "asr")),
        ("роблоксе", ("v3", "title")),
    ],
)
def test_name_is_found_in_the_other_alphabet(
    index: LexicalIndex, typed: str, found: tuple[str, str]
) -> None:
    hits = {(hit.video_id, hit.channel): hit for hit in search(index, typed)}
    assert hits[found].share == pytest.approx(SAME_SOUND)


def test_sounds_forget_endings_and_leave_numbers_and_short_words_alone() -> None:
    assert sound_of("роблоксе") == sound_of("roblox") == sound_of("роблокс") == "robloks"
    assert sound_of("1000") == sound_of("в") == sound_of("") == ""
    assert sound_of("кот") != sound_of("код")


def test_hit_names_the_second_of_the_word(index: LexicalIndex) -> None:
    (hit,) = search(index, "роблокс", channels=["asr"])
    assert (hit.start_s, hit.end_s, hit.place) == (10.0, 20.0, 4)
    assert 14 < hit.moment_s < 16
    assert hit.text == "сегодня мы играем в роблокс и котов нет"


def test_place_is_where_the_words_stand_closest(tmp_path: Path) -> None:
    text = "кот спит а потом где то спит рыжий кот"
    Library(a=[video("v", asr=(0.0, 9.0, text))]).update(tmp_path)
    (hit,) = search(LexicalIndex.open(tmp_path), "рыжий", "кот")
    assert hit.place == 7


def test_share_weighs_rare_words_more(index: LexicalIndex) -> None:
    by_video = {hit.video_id: hit.share for hit in search(index, "кот", "сегодня")}
    assert by_video["v3"] < 0.5 < by_video["v1"] < 1


def test_phrase_stands_word_after_word(index: LexicalIndex) -> None:
    hits = quoted(index, "кот в сапогах")
    assert places(hits) == {("v2", "title")}
    assert hits[0].share == 1
    assert places(quoted(index, "в сапогах")) == {
        ("v2", "title"),
        ("v2", "asr"),
    }
    assert quoted(index, "сапогах в") == []
    assert quoted(index, "кот сапогах") == []


def test_every_phrase_must_stand_and_words_only_rank(index: LexicalIndex) -> None:
    words = ["ходит", "кот", "в", "сапогах"]
    query = LexicalQuery(words, [["кот"], ["в", "сапогах"]], [lemma(word) for word in words])
    hits = index.search(query)
    assert [(hit.video_id, hit.channel) for hit in hits] == [("v2", "asr"), ("v2", "title")]
    assert hits[0].place == 2


def test_dictionary_forms_are_looked_up_where_the_query_has_none(index: LexicalIndex) -> None:
    (hit,) = index.search(LexicalQuery(["котам"]), channels=["ocr"])
    assert hit.share == pytest.approx(OTHER_FORM)


def test_phrase_is_exact_in_its_form(index: LexicalIndex) -> None:
    assert quoted(index, "коты") == []


def test_search_keeps_to_channels_and_videos(index: LexicalIndex) -> None:
    assert places(search(index, "кот", channels=["ocr", "title"])) == {
        ("v2", "title"),
        ("v3", "ocr"),
    }
    assert places(search(index, "кот", among=["v2", "v9"])) == {("v2", "title"), ("v2", "asr")}
    assert places(search(index, "кот", channels=["asr"], among=["v2"])) == {("v2", "asr")}
    assert search(index, "кот", among=[]) == search(index, "кот", channels=[]) == []


def test_filter_does_not_change_the_scores(index: LexicalIndex) -> None:
    free = {(h.video_id, h.channel): h.bm25 for h in search(index, "кот", "сапогах")}
    for hit in search(index, "кот", "сапогах", channels=["asr", "title"], among=["v1", "v2"]):
        assert hit.bm25 == pytest.approx(free[hit.video_id, hit.channel])


def test_unknown_word_hides_no_common_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.search.lexical_index._COMMON_COUNT", 3)
    library = Library(a=[video(f"v{n}", title=f"кот {n}") for n in range(9)])
    library.set("b", video("rare", asr=(0.0, 1.0, "ферзь")))
    library.update(tmp_path)
    index = LexicalIndex.open(tmp_path)
    assert len(search(index, "кот", "blorptastic")) == 9
    assert len(search(index, "кот", "ферзь", channels=["title"])) == 9


def test_limit_keeps_the_best(index: LexicalIndex) -> None:
    every = search(index, "кот")
    assert search(index, "кот", limit=2) == every[:2]
    assert search(index, "кот", limit=0) == []


def test_common_word_finds_nothing_beside_a_rarer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical_index, "_COMMON_COUNT", 2)
    small().update(tmp_path)
    index = LexicalIndex.open(tmp_path)
    assert places(search(index, "в", "сапогах")) == {("v2", "title"), ("v2", "asr")}
    assert len(search(index, "в")) == 4
    assert {hit.share for hit in search(index, "в", "сапогах")} == {1.0}


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        ["нетакого"],
        ["\ud800"],
        ["x" * 100_000],
        ["title:кот", "+(", '"', "*", "кот~2", "[a TO b]"],
        [f"слово{i}" for i in range(2000)],
    ],
)
def test_odd_words_find_nothing_and_break_nothing(index: LexicalIndex, words: list[str]) -> None:
    assert search(index, *words) == []
    phrases = [words, []] if any(words) else [[]]
    assert index.search(LexicalQuery(words, phrases, words)) == []


def test_very_long_word_is_found_and_moves_no_phrase(tmp_path: Path) -> None:
    long = "ы" * 50_000
    Library(a=[video("v", title=f"раз {long[:500]} два")]).update(tmp_path)
    index = LexicalIndex.open(tmp_path)
    assert search(index, long[:500])[0].share == 1
    assert quoted(index, f"раз {long[:500]} два")
    assert quoted(index, "раз два") == []


def test_bm25_is_that_of_the_formula(tmp_path: Path) -> None:
    """Robertson et al. 1994 with k1 = 1.2 and b = .75 over the three fields."""
    Library(a=[video("v1", title="раз два"), video("v2", title="раз три четыре пять")]).update(
        tmp_path
    )
    (hit,) = search(LexicalIndex.open(tmp_path), "два")
    idf = 0.6931472  # ln(1 + (2 - 1 + .5) / (1 + .5))
    expected = idf * 2.2 / (1 + 1.2 * (1 - 0.75 + 0.75 * 2 / 3))
    assert hit.bm25 == pytest.approx(expected, rel=1e-4)


def test_passages_of_a_video_come_in_order(tmp_path: Path) -> None:
    rows = video("v", asr=(0.0, 90.0, " ".join(f"слово{i}" for i in range(170))))
    Library(a=[rows[::-1], video("w", asr="слово")]).update(tmp_path)
    index = LexicalIndex.open(tmp_path)
    found = index.passages("v", "asr")
    assert [p.passage_no for p in found] == [0, 1, 2]
    assert [p.text for p in found] == [row["text"] for row in rows]
    assert index.passage("v", "asr", 1) == found[1]
    assert index.passage("v", "asr", 7) is None
    assert index.passages("nobody", "asr") == []


def test_only_touched_batches_are_read(tmp_path: Path) -> None:
    library = small()
    first = library.update(tmp_path)
    assert (first.added, first.count) == (2, 6)
    library.set("b", video("v4", title="собака"))
    library.set("c", video("v5", title="собака лает"))
    library.drop("a")
    report = library.update(tmp_path)
    assert library.read_names == ["b", "c"]
    done = (report.added, report.replaced, report.removed, report.unchanged, report.count)
    assert done == (1, 1, 1, 0, 2)
    index = LexicalIndex.open(tmp_path)
    assert places(search(index, "собака")) == {("v4", "title"), ("v5", "title")}
    assert search(index, "кот") == search(index, "roblox") == []
    assert index.passages("v1", "title") == []


def test_nothing_is_read_or_written_when_nothing_changed(tmp_path: Path) -> None:
    library = small()
    library.update(tmp_path)
    before = bytes_of(tmp_path)
    report = library.update(tmp_path)
    assert (report.unchanged, report.added, report.count) == (2, 0, 6)
    assert library.read_names == []
    assert bytes_of(tmp_path) == before


def test_other_version_of_the_words_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = small()
    library.update(tmp_path)
    monkeypatch.setattr(lexical_index, "lexical_words_model", lambda: "words@2")
    with pytest.raises(IndexDamaged, match=r"passages@1.*words@2"):
        LexicalIndex.open(tmp_path)
    report = library.update(tmp_path)
    assert (library.read_names, report.count) == (["a", "b"], 6)
    assert LexicalIndex.open(tmp_path).count == 6


def test_open_index_answers_from_its_version_while_new_ones_are_written(tmp_path: Path) -> None:
    library = small()
    library.update(tmp_path)
    before = LexicalIndex.open(tmp_path)
    for n in range(3):
        library.set("b", video(f"w{n}", title="собака"))
        library.update(tmp_path)
    assert places(search(before, "roblox", channels=["title"])) == {("v3", "title")}
    assert places(search(LexicalIndex.open(tmp_path), "собака")) == {("w2", "title")}
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, "v3", "v4"}


def test_unchanged_files_are_shared_with_the_version_before(tmp_path: Path) -> None:
    library = small()
    library.update(tmp_path)
    library.set("c", video("v5", title="собака"))
    library.update(tmp_path)
    (store,) = (tmp_path / "v1").glob("*.store")
    assert store.samefile(tmp_path / "v2" / store.name)


def test_killed_update_leaves_the_old_index_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = small()
    library.update(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    library.set("a", video("v1", title="собака"))
    with monkeypatch.context() as patched:
        patched.setattr(lexical_index, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            library.update(tmp_path)
    index = LexicalIndex.open(tmp_path, verify=True)
    assert (index.count, search(index, "собака")) == (6, [])
    library.update(tmp_path)
    assert places(search(LexicalIndex.open(tmp_path), "собака")) == {("v1", "title")}
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, "v1", "v3"}


def test_batch_that_cannot_be_read_leaves_the_old_index_whole(tmp_path: Path) -> None:
    library = small()
    library.update(tmp_path)
    wanted = {**library.fingerprints, "c": "1"}
    with pytest.raises(KeyError):
        update_lexical(tmp_path, wanted, library.read)
    assert LexicalIndex.open(tmp_path, verify=True).count == 6


def test_index_of_mostly_deleted_passages_is_built_anew(tmp_path: Path) -> None:
    cats = [video(f"v{n}", title="кот") for n in range(3)]
    library = Library(a=[video("w", title="кот")], b=cats)
    library.update(tmp_path)
    library.set("b", cats[0])
    library.update(tmp_path)
    assert (library.read_names, read_manifest(tmp_path).deleted) == (["b"], 3)
    library.set("c", video("x", title="кот"))
    report = library.update(tmp_path)
    assert (report.added, report.unchanged, library.read_names) == (1, 2, ["a", "b", "c"])
    assert (read_manifest(tmp_path).deleted, report.count) == (0, 3)


def test_order_of_batches_changes_no_answer(tmp_path: Path) -> None:
    library = small()
    library.update(tmp_path / "together")
    for name in ("b", "a"):
        wanted = {n: "1" for n in library.batches if n >= name}
        update_lexical(tmp_path / "apart", wanted, library.read)
    answers = [search(LexicalIndex.open(tmp_path / f), "кот", "в") for f in ("together", "apart")]
    assert answers[0] == answers[1]


def test_many_small_updates_keep_few_segments(tmp_path: Path) -> None:
    library = Library()
    for n in range(16):
        library.set(f"b{n:02d}", video(f"v{n}", title=f"кот номер{n}"))
        library.update(tmp_path)
    assert len(list((tmp_path / "v16").glob("*.store"))) <= 10
    assert len(search(LexicalIndex.open(tmp_path, verify=True), "кот")) == 16


def test_empty_library_and_empty_batches(tmp_path: Path) -> None:
    assert Library().update(tmp_path).count == 0
    assert search(LexicalIndex.open(tmp_path), "кот") == []
    library = Library(a=[])
    assert library.update(tmp_path).count == 0
    assert search(LexicalIndex.open(tmp_path), "кот") == []
    assert library.update(tmp_path).unchanged == 1
    library.set("b", video("v1", title="кот"))
    assert library.update(tmp_path).count == 1


def test_threads_share_an_open_index(index: LexicalIndex) -> None:
    expected = search(index, "кот", "роблокс")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: search(index, "кот", "роблокс"), range(40)))
    assert all(hits == expected for hits in found)


def test_index_opens_where_nothing_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small().update(tmp_path)
    for lock in tmp_path.rglob("*.lock"):
        lock.unlink()
    before = bytes_of(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    index = LexicalIndex.open(tmp_path)
    assert len(search(index, "кот")) == 4
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("harm", ["missing", "cut", "altered"])
@pytest.mark.parametrize("kind", ["store", "term", "json"])
def test_damaged_file_is_named_with_what_mends_it(tmp_path: Path, kind: str, harm: str) -> None:
    library = small()
    library.update(tmp_path)
    path = next(path for path in (tmp_path / "v1").glob(f"*.{kind}") if path.name[0] != ".")
    content = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(content[:-9])
    if harm == "altered":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(IndexDamaged, match=rf"{path.name}.*kadr index"):
        LexicalIndex.open(tmp_path, verify=True)
    assert library.update(tmp_path, rebuild=True).count == 6
    assert len(search(LexicalIndex.open(tmp_path, verify=True), "кот")) == 4


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"format": 2}', '{"files": 3}'])
def test_damaged_manifest_is_a_clear_error(tmp_path: Path, text: str) -> None:
    small().update(tmp_path)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(IndexDamaged, match=r"manifest\.json is not a manifest"):
        LexicalIndex.open(tmp_path)


def test_missing_index_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match=r"there is no manifest\.json"):
        LexicalIndex.open(tmp_path / "nowhere")
    small().update(tmp_path)
    shutil.rmtree(tmp_path / "v1")
    with pytest.raises(IndexDamaged, match=r"is missing"):
        LexicalIndex.open(tmp_path)
