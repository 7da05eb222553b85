"""What counts as right, wrong and missed when found copies are held against known ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from assets.stores.clickhouse import ClickHouse
from assets.tables.load import load_batch, replace_table
from ml.copies.evaluate import (
    COPY_VERDICTS,
    Counts,
    evaluate,
    merged,
    seconds_in_common,
    total_seconds,
)
from ml.copies.pair_rows import found_pairs, known_pairs
from samples.copies import COPIES
from samples.truth import PAIR_COLUMNS, pair_rows
from tests.unit.copies.known import ALL_FOUND, OTHER_AUDIO, TRUTH, found, truth
from tests.unit.tables.small_library import BATCH, record_batch


def test_finding_every_pair_with_its_verdict_is_perfect() -> None:
    result = evaluate(TRUTH, ALL_FOUND)
    assert result.visual == Counts(3, 0, 0)
    assert result.final == result.identity == Counts(2, 0, 0)
    assert result.final.f1 == result.visual.precision == 1
    assert set(result.verdicts) == {(one.verdict, one.verdict) for one in TRUTH}
    assert not result.wrong_pairs and not result.missed_pairs


def test_finding_nothing_is_precise_and_recalls_nothing() -> None:
    result = evaluate(TRUTH, [])
    assert (result.final.precision, result.final.recall, result.final.f1) == (1, 0, 0)
    assert len(result.missed_pairs) == 3


def test_other_speech_called_a_copy_is_right_by_pictures_and_wrong_in_the_end() -> None:
    result = evaluate(TRUTH, [*ALL_FOUND[:2], found("c1", "c"), ALL_FOUND[3]])
    assert result.visual == Counts(3, 0, 0)
    assert result.final == Counts(2, 1, 0)
    (kind,) = (one for one in result.kinds if one.kind == "other_speech")
    assert (kind.found_pictured, kind.copies, kind.wrong_copies) == (1, 0, 1)


def test_same_sound_called_a_copy_is_wrong_by_pictures_too() -> None:
    result = evaluate(TRUTH, [*ALL_FOUND[:3], found("d1", "d", "partial")])
    assert result.visual == Counts(3, 1, 0)
    assert result.final == Counts(2, 1, 0)


def test_copy_called_other_speech_is_missed_in_the_end_alone() -> None:
    result = evaluate(TRUTH, [found("a1", "a", OTHER_AUDIO), *ALL_FOUND[1:]])
    assert result.visual == Counts(3, 0, 0)
    assert result.final == Counts(1, 0, 1)
    assert [one.copy_id for one in result.missed_pairs] == ["a1"]


def test_wrong_original_is_a_false_alarm_and_a_miss() -> None:
    wrong = found("a1", "x", score=0.95)
    only_wrong = evaluate(TRUTH, [wrong, *ALL_FOUND[1:]])
    assert only_wrong.identity == only_wrong.final == Counts(1, 1, 1)
    both = evaluate(TRUTH, [wrong, *ALL_FOUND])
    assert both.identity == Counts(1, 1, 1)
    assert both.final == Counts(2, 1, 0)


def test_naming_one_original_of_a_compilation_names_it() -> None:
    known = known_pairs(
        truth(
            ("m", "a", "compilation", 0, 4, 0, 4, "partial"),
            ("m", "b", "compilation", 4, 8, 0, 4, "partial"),
        )
    )
    result = evaluate(known, [found("m", "b", "partial")])
    assert result.identity == Counts(1, 0, 0)
    assert result.final == Counts(1, 0, 1)


def test_pair_found_backwards_is_wrong_and_said_to_be() -> None:
    result = evaluate(TRUTH, [found("a", "a1"), *ALL_FOUND[1:]])
    assert result.final == Counts(1, 1, 1)
    assert result.backwards == 1


def test_false_alarms_are_counted_by_the_kind_of_the_video() -> None:
    alarms = [found("n1", "a"), found("n2", "a", OTHER_AUDIO), found("z", "a")]
    kinds = {"n1": "unrelated", "n2": "same_speaker", "a": "reference", "z": "reference"}
    result = evaluate(TRUTH, [*ALL_FOUND, *alarms], kinds)
    wrong = {kind.kind: (kind.wrong_pictured, kind.wrong_copies) for kind in result.kinds}
    assert wrong["unrelated"] == wrong["reference"] == (1, 1)
    assert wrong["same_speaker"] == (1, 0)
    assert wrong["mirrored"] == (0, 0)


def test_hardest_kind_is_the_one_of_which_least_was_found() -> None:
    hardest = evaluate(TRUTH, ALL_FOUND[:1]).hardest
    assert hardest is not None and hardest.kind == "inserted"
    assert evaluate([], []).hardest is None


def test_videos_that_no_file_names_are_left_out_when_kinds_are_given() -> None:
    alarm = found("stranger", "a")
    assert evaluate(TRUTH, [*ALL_FOUND, alarm], {"a1": "mirrored"}).final == Counts(2, 0, 0)
    everything = evaluate(TRUTH, [*ALL_FOUND, alarm])
    assert everything.final == Counts(2, 1, 0)
    assert next(k for k in everything.kinds if k.kind == "other").wrong_copies == 1


def test_ignored_pairs_are_left_out_whichever_way_round() -> None:
    result = evaluate(TRUTH, [*ALL_FOUND, found("x", "y")], ignored={("y", "x"), ("a", "a1")})
    assert result.final == Counts(1, 0, 0)
    assert result.ignored == 2


SIBLINGS = known_pairs(
    truth(
        ("s1", "s", "trimmed", 0, 10, 0, 10, "duplicate"),
        ("s2", "s", "trimmed", 0, 10, 5, 15, "duplicate"),
        ("s3", "s", "trimmed", 0, 10, 20, 30, "duplicate"),
    )
)
SIBLINGS_FOUND = [found("s1", "s"), found("s2", "s"), found("s3", "s")]


def test_copies_that_show_the_same_seconds_are_neither_right_nor_wrong() -> None:
    result = evaluate(SIBLINGS, [*SIBLINGS_FOUND, found("s2", "s1", score=1.0)])
    assert result.final == result.identity == Counts(3, 0, 0)
    assert (result.siblings, result.sibling_conflicts) == (1, 0)


def test_copies_of_different_seconds_of_one_original_share_nothing() -> None:
    result = evaluate(SIBLINGS, [*SIBLINGS_FOUND, found("s3", "s1")])
    assert result.final == Counts(3, 1, 0)
    assert result.siblings == 0


def test_sibling_pair_without_its_original_is_a_conflict() -> None:
    result = evaluate(SIBLINGS, [*SIBLINGS_FOUND[1:], found("s2", "s1")])
    assert (result.siblings, result.sibling_conflicts) == (1, 1)


def test_siblings_that_the_truth_lists_are_not_counted() -> None:
    known = known_pairs(truth(*(tuple(row.values()) for row in pair_rows(COPIES))))
    copied = [one for one in known if one.kind != "sibling" and one.verdict in COPY_VERDICTS]
    assert len(copied) < len([one for one in known if one.verdict in COPY_VERDICTS])
    result = evaluate(known, [found("copy-combined", "copy-recompressed")])
    assert result.final == Counts(0, 0, len(copied))
    assert (result.siblings, result.sibling_conflicts) == (1, 1)


def test_segments_are_measured_on_both_axes_over_pairs_that_were_found() -> None:
    rows = [
        {
            "copy_id": "b1",
            "original_id": "b",
            "verdict": "partial",
            "score": 0.9,
            "copy_starts_s": [3.0, 4.0],
            "copy_ends_s": [5.0, 10.0],
            "original_starts_s": [0.0],
            "original_ends_s": [3.0],
        }
    ]
    result = evaluate(TRUTH, [*found_pairs(rows), found("x", "y")])
    assert result.copy_seconds == Counts(5, 2, 1)
    assert result.original_seconds == Counts(3, 0, 3)
    assert result.original_seconds.recall == 0.5


def test_intervals_that_overlap_count_once() -> None:
    spans = [(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (7.0, 7.0)]
    assert merged(spans) == [(0, 3), (5, 6)]
    assert total_seconds(spans) == 4
    assert seconds_in_common(spans, [(2.5, 5.5), (5.2, 9)]) == pytest.approx(1.5)


def truth_file(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("copy_id,original_id\n", "no column kind; needed: copy_id"),
        (",".join(PAIR_COLUMNS) + "\na,b,x,0,1,0,1,maybe\n", "line 2: expected_verdict"),
        ("\x00", "pairs.csv"),
    ],
)
def test_unusable_truth_is_one_line_for_people(text: str, message: str, tmp_path: Path) -> None:
    from orchestration.commands.evaluate import evaluate as command

    path = truth_file(tmp_path, text)
    outcome = CliRunner().invoke(command, ["copies", "--truth", str(path)])
    assert isinstance(outcome.exception, ValueError)
    assert message in str(outcome.exception) and "\n" not in str(outcome.exception)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose tables say that copy-muted is a copy of pets-01."""
    folder = tmp_path_factory.mktemp("library")
    videos = [{"video_id": name} for name in ("copy-muted", "copy-logo", "pets-01", "cooking-01")]
    pair = {
        "copy_id": "copy-muted", "original_id": "pets-01", "verdict": "duplicate", "score": 0.9,
        "copy_starts_s": [0.0], "copy_ends_s": [5.0],
        "original_starts_s": [0.0], "original_ends_s": [5.0],
    }  # fmt: skip
    with ClickHouse(f"chdb://{folder / 'clickhouse'}").session("test") as client:
        load_batch(client, "videos", BATCH, [record_batch("videos", videos)], "made up")
        rows = [record_batch("duplicate_pairs", [pair])]
        replace_table(client, "duplicate_pairs", rows, "made up")
    return folder


def asked(library: Path, truth: Path, *options: str) -> Result:
    from orchestration.commands.evaluate import evaluate as command

    arguments = ["copies", "--truth", str(truth), *options]
    return CliRunner().invoke(command, arguments, env={"KADR_DATA": str(library)})


COPIES_OF_TWO = ",".join(PAIR_COLUMNS) + (
    "\ncopy-muted,pets-01,muted,0,6,0,6,duplicate\ncopy-logo,cooking-01,logo,0,6,0,6,duplicate\n"
)


def test_tables_are_held_against_the_truth(library: Path, tmp_path: Path) -> None:
    outcome = asked(library, truth_file(tmp_path, COPIES_OF_TWO), "--json")
    plain = json.loads(outcome.output)
    assert (plain["final"]["precision"], plain["final"]["recall"]) == (1, 0.5)
    assert plain["copy_seconds"]["recall"] == pytest.approx(5 / 6, abs=1e-4)
    assert plain["missed_pairs"] == [["copy-logo", "cooking-01", "logo"]]


def test_pairs_beside_the_truth_are_not_counted(library: Path, tmp_path: Path) -> None:
    path = truth_file(tmp_path, COPIES_OF_TWO)
    shared = "video_a,video_b,picture\npets-01,copy-muted,cat\n"
    (tmp_path / "shared_pictures.csv").write_text(shared, encoding="utf-8")
    plain = json.loads(asked(library, path, "--json").output)
    assert (plain["ignored"], plain["final"]["right"], plain["final"]["missed"]) == (1, 0, 1)


def test_video_that_is_not_in_the_tables_is_named(library: Path, tmp_path: Path) -> None:
    text = COPIES_OF_TWO + "copy-new,pets-01,muted,0,6,0,6,duplicate\n"
    outcome = asked(library, truth_file(tmp_path, text))
    assert isinstance(outcome.exception, ValueError)
    assert "1 of 5 videos that are not in the tables, such as copy-new" in str(outcome.exception)


def test_missing_truth_is_said_by_the_command_line(tmp_path: Path) -> None:
    from orchestration.commands.evaluate import evaluate as command

    outcome = CliRunner().invoke(command, ["copies", "--truth", str(tmp_path / "none.csv")])
    assert outcome.exit_code == 2 and "does not exist" in outcome.output
