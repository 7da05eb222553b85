"""From a catalogue of clips to SQL tables, with the real command, definitions and models."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.pipeline.conftest import Kadr


def _labels(sample: Path) -> dict[str, dict[str, str]]:
    with (sample / "truth" / "labels.csv").open(encoding="utf-8", newline="") as file:
        return {row["video_id"]: row for row in csv.DictReader(file)}


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in text.lower()).split())


def test_every_video_has_a_row_and_broken_ones_a_reason(finished: Kadr, sample: Path) -> None:
    rows = {r[0]: r[1:] for r in finished.query("SELECT video_id, status, error FROM videos")}
    assert set(rows) == set(_labels(sample))
    assert {v for v, (status, _) in rows.items() if status == "failed"} == {
        "broken-01",
        "broken-02",
    }
    assert all(error for status, error in rows.values() if status == "failed")
    failures = finished.query("SELECT video_id, failure_kind FROM failures ORDER BY video_id")
    assert failures == [("broken-01", "permanent"), ("broken-02", "permanent")]


def test_frames_stand_for_the_whole_video(finished: Kadr) -> None:
    apart = finished.query(
        "SELECT v.video_id, v.duration_s, sum(f.duration_s) AS covered_s FROM videos AS v"
        " JOIN frames AS f USING (video_id) GROUP BY ALL"
        " HAVING abs(covered_s - v.duration_s) > 0.001"
    )
    assert apart == []


def test_shot_starts_are_where_the_cuts_are(finished: Kadr, sample: Path) -> None:
    found: dict[str, list[float]] = {}
    for video, start_s in finished.query(
        "SELECT video_id, start_s FROM frames WHERE is_shot_start ORDER BY video_id, start_s"
    ):
        found.setdefault(video, []).append(start_s)
    cuts = {v: json.loads(r["shot_starts_s"]) for v, r in _labels(sample).items() if v in found}
    hits = [
        any(abs(cut - start_s) < 0.3 for start_s in found[video])
        for video, truth in cuts.items()
        for cut in truth
    ]
    assert sum(hits) / len(hits) >= 0.9


def test_english_speech_is_recognised(finished: Kadr, sample: Path) -> None:
    heard = dict(
        finished.query(
            "SELECT video_id, arrayStringConcat(groupArray(text), ' ') FROM"
            " (SELECT * FROM asr_segments ORDER BY video_id, start_s) GROUP BY video_id"
        )
    )
    spoken = {v: r["spoken_text"] for v, r in _labels(sample).items() if r["spoken_text"]}
    shares = [
        len(_words(text) & _words(heard.get(video, ""))) / len(_words(text))
        for video, text in spoken.items()
    ]
    assert shares
    assert sum(shares) / len(shares) >= 0.6


def test_english_captions_are_read_with_their_time(finished: Kadr, sample: Path) -> None:
    lines = finished.query("SELECT video_id, text, start_s, end_s FROM ocr_lines")
    for video, label in _labels(sample).items():
        for caption in json.loads(label["captions"] or "[]"):
            if caption["language"] != "en" or video.startswith("copy"):
                continue
            times = [
                (start_s, end_s)
                for v, text, start_s, end_s in lines
                if v == video
                and len(_words(caption["text"]) & _words(text)) * 2 >= len(_words(text))
            ]
            assert times, f"{video}: {caption['text']!r} was not read"
            assert min(s for s, _ in times) <= caption["start_s"] + 1.1
            assert max(e for _, e in times) >= caption["end_s"] - 1.1


def test_every_ok_video_is_in_indexes_and_topics(finished: Kadr) -> None:
    (ok,) = finished.query("SELECT count() FROM videos WHERE status = 'ok'")[0]
    assert finished.query("SELECT count() FROM video_topics")[0][0] == ok
    manifest = json.loads((finished.data / "indexes/video_index/manifest.json").read_text())
    assert manifest["count"] == ok
    counts = {
        "title_index": "video_texts WHERE channel IN ('title', 'description')",
        "speech_index": "passage_embeddings WHERE channel = 'asr'",
        "screen_index": "passage_embeddings WHERE channel = 'ocr'",
        "frame_index": "frame_embeddings",
        "lexical_index": "passages",
    }
    for index, rows in counts.items():
        manifest = json.loads((finished.data / f"indexes/{index}/manifest.json").read_text())
        assert manifest["count"] == finished.query(f"SELECT count() FROM {rows}")[0][0], index


def test_index_has_nothing_to_do_after_an_ingestion(finished: Kadr) -> None:
    assert finished.run("index").stdout.startswith("nothing to do: every index is whole")


def test_search_names_the_second_at_which_it_is_said(finished: Kadr, sample: Path) -> None:
    done = finished.run("search", "old silver coins", "--json")
    best = json.loads(done.stdout)["answers"][0]
    assert best["video_id"] == "money-01"
    assert best["channels"].keys() >= {"title", "speech"}
    (start_s, end_s) = finished.query(
        "SELECT min(start_s), max(end_s) FROM asr_segments"
        " WHERE video_id = 'money-01' AND text LIKE '%coins%'"
    )[0]
    assert start_s <= best["moment_s"] <= end_s


def test_search_corrects_what_was_mistyped(finished: Kadr) -> None:
    done = finished.run("search", "astronuat", "-k", "1")
    assert "“astronaut” instead of “astronuat”" in done.stderr
    assert "space-" in done.stdout


def test_suggestions_come_from_the_library(finished: Kadr) -> None:
    assert "astronaut" in finished.run("suggest", "astr").stdout


def test_a_muted_copy_has_no_sound(finished: Kadr) -> None:
    assert finished.query("SELECT has_audio FROM videos WHERE video_id = 'copy-muted'") == [
        (False,)
    ]
    assert finished.query("SELECT count() FROM asr_segments WHERE video_id = 'copy-muted'") == [
        (0,)
    ]


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_sql_answers_programs(finished: Kadr, form: str) -> None:
    done = finished.run(
        "sql", form, "SELECT video_id, status FROM videos ORDER BY video_id LIMIT 1"
    )
    if form == "--json":
        assert json.loads(done.stdout) == [{"video_id": "broken-01", "status": "failed"}]
    else:
        assert done.stdout.splitlines() == ["video_id,status", "broken-01,failed"]


def test_sql_only_reads_unless_told_otherwise(finished: Kadr, sample: Path) -> None:
    done = finished.run("sql", "TRUNCATE TABLE videos", check=False)
    assert done.returncode == 1
    assert "only read" in done.stderr
    assert finished.query("SELECT count() FROM videos")[0][0] == len(_labels(sample))


def test_a_folder_without_videos_is_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "notes.txt").write_text("no video")
    done = Kadr(tmp_path / "empty").run("ingest", str(folder), check=False)
    assert done.returncode == 1
    assert "no video found" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_that_is_not_there_is_said_in_one_line(finished: Kadr) -> None:
    done = finished.run("ingest", "/no/such/folder", check=False)
    assert done.returncode == 1
    assert "/no/such/folder" in done.stderr
    assert "Traceback" not in done.stderr
