"""What comes out when there is little, nothing or too much to compare.

===========================================  ====================================================
Input                                        Outcome
===========================================  ====================================================
One frame shorter than about 0.8 s           no pair, not even with itself or its source: half a
                                             second of evidence is as likely by chance
A still of a second and more, shown again    duplicate of low score (0.37 up to 10 s)
A still out of a video that moves            no pair: nothing in it moves as the video does
All black (or one grey), against anything    no pair; there is nothing to see
Black with the same sound                    hard_other_video_same_audio
Black seconds in both videos                 no segment of their own
Ten identical uploads                        45 duplicates, one group; the earliest is the original
A loop of the original                       duplicate, a segment for each time round; both shares
                                             are 1 at most
The original is itself a loop                duplicate; ranges of any one of the times round
3 hours against 5 s cut out of them          duplicate, found to half a second; the stream as the
                                             later of the two is partial
No sound track on a side, or on both         missing: the pictures decide
Silence, a constant tone or different steady noise on both sides, or a tone beside music
                                             silent: the pictures decide; alone they are no pair
Loud noise in place of the original's sound  different: hard_same_video_other_audio
Pictures of digital noise                    no pair; a duplicate of an identical upload
No frames, or frames without features        no pair by pictures; sound is still compared
No thumbnails                                pictures and sound decide
Equal dates                                  the lesser id is the original, whoever asked
A missing date                               later than every date; two of them go by id
===========================================  ====================================================
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pytest

from assets.copies.pairs import Comparable, Compared, Query, find_copies, place_of
from ml.copies.evidence import U8, Evidence, Motion, Pictures, Sound
from ml.copies.features import FrameDescription, empty_pictures
from ml.copies.groups import Edge, group
from ml.copies.pairs import compare
from ml.copies.sound.bands import hashes_of
from ml.copies.verdicts import Verdict
from tests.unit.copies import clips
from tests.unit.copies.clips import Film, evidence, heard, joined, with_sound

pytestmark = pytest.mark.slow

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def checked(query: Evidence, reference: Evidence) -> Verdict | None:
    """The verdict, after looking at what must hold of each one."""
    verdict = compare(query, reference)
    if verdict is None:
        return None
    values = asdict(verdict)
    shares = ("score", "visual_score", "audio_score", "copy_share", "original_share")
    assert all(0 <= values[name] <= 1 for name in shares)
    lists = [v for name, v in values.items() if name.endswith("s_s")]
    assert len(lists) == 4 and len({len(v) for v in lists}) == 1 and lists[0]
    assert all(math.isfinite(v) and v >= 0 for one in lists for v in one)
    assert 0.5 < verdict.speed < 2 and 0 <= verdict.rotated_deg < 360
    assert max(verdict.copy_ends_s) <= query.duration_s + 0.01
    assert max(verdict.original_ends_s) <= reference.duration_s + 0.01
    return verdict


def found(query: Evidence, reference: Evidence) -> Verdict:
    verdict = checked(query, reference)
    assert verdict is not None
    return verdict


@pytest.fixture(scope="module")
def film() -> Film:
    scenes = clips.drawn("train", 4), clips.panned("astronaut", 2), clips.drawn("aquarium", 4)
    return with_sound(joined(*scenes), clips.tune(10, 1))


@pytest.fixture(scope="module")
def video(film: Film) -> Evidence:
    return evidence("video", film)


@pytest.fixture(scope="module")
def other() -> Evidence:
    return evidence("other", joined(clips.drawn("race", 5), clips.panned("china", 5)))


def still(film: Film, seconds: float) -> Film:
    picture = film.picture_at(5.0)
    return Film(seconds, lambda _: picture)


# Little to see ------------------------------------------------------------------------------------


def test_video_of_one_frame_is_too_little_to_be_a_copy(film: Film, video: Evidence) -> None:
    one = evidence("one", clips.cut(film, 5, 5.125))
    assert one.pictures.frame_count == 1
    assert checked(one, video) is None
    assert checked(video, one) is None
    assert checked(one, replace(one, video_id="again")) is None


@pytest.mark.parametrize("seconds", [1, 10, 25])
def test_still_shown_again_is_a_duplicate(film: Film, seconds: float) -> None:
    first = evidence("first", still(film, seconds))
    again = evidence("again", clips.edited(still(film, seconds), clips.recompressed))
    assert first.pictures.frame_count <= 3
    assert found(again, first).verdict == "duplicate"


def test_still_of_a_moving_video_is_no_pair(film: Film, video: Evidence) -> None:
    held = evidence("held", still(clips.cut(film, 6, 10), 10))
    assert checked(held, video) is None
    assert checked(video, held) is None


def test_black_is_a_copy_of_nothing(video: Evidence) -> None:
    black, grey = evidence("black", clips.flat(10)), evidence("grey", clips.flat(12, 128))
    for one, two in ((black, black), (grey, black), (black, grey), (black, video), (video, black)):
        assert checked(one, two) is None


def test_black_with_the_same_tune_is_the_same_sound_only() -> None:
    one, two = (
        evidence(name, with_sound(clips.flat(10), clips.tune(10, 1))) for name in ("one", "two")
    )
    assert found(two, one).verdict == "hard_other_video_same_audio"


def test_black_at_both_starts_is_no_segment(film: Film) -> None:
    black = clips.flat(4)
    one = evidence("one", joined(black, clips.drawn("aquarium", 4)))
    two = evidence("two", joined(black, clips.drawn("soup", 4)))
    assert checked(two, one) is None


def test_snow_is_a_copy_of_its_own_upload_only(video: Evidence) -> None:
    one, two = (evidence(f"snow {seed}", clips.snow(4, seed)) for seed in (1, 2))
    assert checked(two, one) is None
    assert checked(one, video) is None
    assert found(replace(one, video_id="again"), one).verdict == "duplicate"


# Too much of the same -----------------------------------------------------------------------------


def test_ten_identical_uploads_are_45_duplicates_in_one_group(film: Film) -> None:
    names = [f"upload {number}" for number in range(10)]
    upload = evidence("upload", clips.cut(film, 4, 8))
    uploads = [replace(upload, video_id=name) for name in names]
    edges = []
    for original, copy in combinations(uploads, 2):
        verdict = found(copy, original)
        assert verdict.verdict == "duplicate"
        edges.append(
            Edge(
                copy.video_id,
                original.video_id,
                verdict.verdict,
                verdict.score,
                verdict.copy_share,
                verdict.original_share,
            )
        )
    assert len(edges) == 45
    members = group(edges, {name: place for place, name in enumerate(names)})
    assert [m.video_id for m in members] == names
    assert {(m.group_id, m.group_size) for m in members} == {("upload 0", 10)}
    assert [m.video_id for m in members if m.is_original] == ["upload 0"]


def test_loop_is_a_duplicate_with_a_segment_each_time_round(film: Film, video: Evidence) -> None:
    verdict = found(evidence("loop", joined(film, film, film)), video)
    assert verdict.verdict == "duplicate"
    assert verdict.copy_starts_s == pytest.approx([0, 10, 20], abs=0.4)
    assert verdict.original_starts_s == pytest.approx([0, 0, 0], abs=0.4)
    assert verdict.copy_share == pytest.approx(1.0, abs=0.03)
    assert verdict.original_share == pytest.approx(1.0, abs=0.03)


def test_one_time_round_of_a_loop_is_a_duplicate_of_a_share_of_it(
    film: Film, video: Evidence
) -> None:
    loop = evidence("loop", joined(film, film, film))
    verdict = found(video, loop)
    assert verdict.verdict == "duplicate"
    assert verdict.original_share == pytest.approx(1 / 3, abs=0.03)


def test_loop_against_its_recompressed_copy_is_a_duplicate(film: Film) -> None:
    loop = joined(*[clips.cut(film, 6, 10)] * 3)
    copy = evidence("copy", clips.edited(loop, clips.recompressed))
    verdict = found(copy, evidence("loop", loop))
    assert verdict.verdict == "duplicate"
    assert verdict.copy_share > 0.95


# A stream of three hours --------------------------------------------------------------------------

HOURS_S, PLANTED_S, KEPT_FEATURES = 10_800, 7_000, 60


@pytest.fixture(scope="module")
def programme() -> Film:
    scenes = clips.drawn("race", 4), clips.panned("coffee", 5)
    return with_sound(joined(*scenes), clips.words(["train", "race", "hiking"], 9))


@pytest.fixture(scope="module")
def stream(programme: Film) -> Evidence:
    """Three hours of scenes that resemble nothing, and 9 s of a programme among them."""
    rng = np.random.default_rng(0)
    filler = evidence("filler", with_sound(clips.drawn("train", 9), clips.tune(9, 3)))
    part = evidence("part", programme)
    assert filler.sound is not None and part.sound is not None
    assert filler.motion is not None and part.motion is not None
    first = round(PLANTED_S * part.sound.rate_hz)
    bands = _repeated(filler.sound.bands, round(HOURS_S * part.sound.rate_hz))
    for block in np.array_split(bands, HOURS_S // 9):
        block[:] = np.roll(block, int(rng.integers(48)), axis=1)
    bands[first : first + len(part.sound.bands)] = part.sound.bands
    level_db = np.full(len(bands), -20, np.float32)
    luma = _repeated(filler.motion.luma, round(HOURS_S * clips.FPS))
    luma += rng.integers(0, 8, (len(luma), 1, 1), np.uint8)
    luma[round(PLANTED_S * clips.FPS) :][: len(part.motion.luma)] = part.motion.luma
    return Evidence(
        "stream",
        HOURS_S,
        _planted(filler.pictures, part.pictures, rng),
        Motion(clips.FPS, luma),
        Sound(part.sound.rate_hz, bands, hashes_of(bands), level_db),
    )


def _repeated(values: U8, count: int) -> U8:
    return np.resize(values, (count, *values.shape[1:]))


def _planted(filler: Pictures, part: Pictures, rng: np.random.Generator) -> Pictures:
    """A frame a second, each its own shuffle of the filler's; the part's from PLANTED_S on."""
    after = PLANTED_S + 9
    starts = [np.arange(PLANTED_S), PLANTED_S + part.start_s, np.arange(after, HOURS_S)]
    others = _frames_of(filler)
    frames = [_shuffled(others[second % len(others)], rng) for second in range(HOURS_S)]
    frames[PLANTED_S:after] = _frames_of(part)
    start_s = np.concatenate(starts).astype(np.float64)
    return clips.pictures_of_descriptions(frames, start_s, HOURS_S, [16 / 9] * len(frames))


def _frames_of(pictures: Pictures) -> list[FrameDescription]:
    spans = zip(pictures.offsets[:-1], pictures.offsets[1:], strict=True)
    return [
        FrameDescription(
            pictures.geometry[first:last],
            pictures.descriptors[first:last],
            pictures.hashes[number],
            float(pictures.detail[number]),
        )
        for number, (first, last) in enumerate(spans)
    ]


def _shuffled(frame: FrameDescription, rng: np.random.Generator) -> FrameDescription:
    """As many features of other scenes."""
    return replace(
        frame,
        geometry=rng.permutation(frame.geometry)[:KEPT_FEATURES],
        descriptors=frame.descriptors[:KEPT_FEATURES][:, rng.permutation(128)],
        hash=rng.integers(0, 256, 32, np.uint8),
    )


def test_cut_of_five_seconds_is_found_in_three_hours(programme: Film, stream: Evidence) -> None:
    copy = evidence("copy", clips.edited(clips.cut(programme, 2, 7), clips.recompressed))
    tracemalloc.start()
    verdict = found(copy, stream)
    peak_mb = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert (verdict.verdict, verdict.sound) == ("duplicate", "same")
    assert verdict.original_starts_s == pytest.approx([PLANTED_S + 2], abs=0.5)
    assert verdict.original_ends_s == pytest.approx([PLANTED_S + 7], abs=0.5)
    assert "1:56:42-1:56:47" in verdict.reason
    assert verdict.copy_share > 0.9 and verdict.original_share < 0.001
    # 650,000 features of 128 float32 at once would be 330 MB.
    assert peak_mb < 300


def test_stream_that_shows_an_earlier_clip_is_partial(programme: Film, stream: Evidence) -> None:
    clip = evidence("clip", clips.cut(programme, 2, 7))
    verdict = found(stream, clip)
    assert verdict.verdict == "partial"
    assert verdict.copy_starts_s == pytest.approx([PLANTED_S + 2], abs=0.5)
    assert verdict.copy_share < 0.001 and verdict.original_share > 0.9


def test_clip_that_is_not_in_the_stream_is_no_pair(stream: Evidence) -> None:
    assert checked(evidence("clip", clips.drawn("soup", 5)), stream) is None


# Nothing to hear ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["copy", "original", "both"])
def test_missing_sound_track_leaves_it_to_the_pictures(video: Evidence, missing: str) -> None:
    without = replace(video, sound=None)
    query = video if missing == "original" else without
    verdict = found(query, video if missing == "copy" else without)
    assert (verdict.verdict, verdict.sound) == ("duplicate", "missing")
    assert verdict.audio_score == 0.5


UNTELLING = {
    "silence": (clips.silence(10), clips.silence(10)),
    "tone": (clips.tone(10), clips.tone(10)),
    "two tones": (clips.tone(10), clips.tone(10, 700)),
    "noise": (clips.hiss(10, 1), clips.hiss(10, 2)),
    "tone and music": (clips.tone(10), clips.tune(10, 1)),
}


@pytest.mark.parametrize("name", UNTELLING)
def test_sound_that_says_nothing_leaves_it_to_the_pictures(
    video: Evidence, other: Evidence, name: str
) -> None:
    mine, theirs = (heard(sound) for sound in UNTELLING[name])
    verdict = found(replace(video, sound=mine), replace(video, sound=theirs))
    assert (verdict.verdict, verdict.sound, verdict.audio_score) == ("duplicate", "silent", 0.5)
    assert checked(replace(other, sound=mine), replace(video, sound=theirs)) is None


def test_loud_noise_instead_of_the_music_is_other_sound(video: Evidence) -> None:
    verdict = found(replace(video, sound=heard(clips.hiss(10, 1))), video)
    assert (verdict.verdict, verdict.sound) == ("hard_same_video_other_audio", "different")


# Parts that are missing ---------------------------------------------------------------------------


def test_video_without_frames_is_compared_by_sound(video: Evidence, other: Evidence) -> None:
    unseen = replace(video, pictures=empty_pictures(), motion=None)
    for one, two in ((unseen, video), (video, unseen), (unseen, unseen)):
        assert found(one, two).verdict == "hard_other_video_same_audio"
    deaf = replace(unseen, sound=None, duration_s=0.0)
    for one, two in ((deaf, video), (video, deaf), (deaf, deaf), (deaf, other), (other, deaf)):
        assert checked(one, two) is None


def test_frames_without_features_are_seen_by_their_hash(video: Evidence) -> None:
    pictures = video.pictures
    bare = replace(
        pictures,
        offsets=np.zeros_like(pictures.offsets),
        geometry=pictures.geometry[:0],
        descriptors=pictures.descriptors[:0],
    )
    poor = replace(video, pictures=bare)
    for one, two in ((poor, video), (video, poor), (poor, poor)):
        assert found(one, two).verdict == "duplicate"
    nothing = replace(poor, pictures=replace(bare, detail=np.zeros_like(bare.detail)), sound=None)
    for one, two in ((nothing, video), (video, nothing), (nothing, nothing)):
        assert checked(one, two) is None


@pytest.mark.parametrize("motion", [None, Motion(8.0, np.zeros((0, 32, 32), np.uint8))])
def test_video_without_thumbnails_is_compared_by_pictures_and_sound(
    video: Evidence, other: Evidence, motion: Motion | None
) -> None:
    without = replace(video, motion=motion)
    for one, two in ((without, video), (video, without), (without, without)):
        assert found(one, two).verdict == "duplicate"
    assert checked(other, without) is None


# Which of the two is the copy ---------------------------------------------------------------------


def comparable(video: Evidence, published_at: datetime | None) -> Comparable:
    return Comparable(
        video.video_id, "2026-11-20-001", "key", 0, published_at, video.duration_s, False
    )


def asked(
    one: Evidence, its_date: datetime | None, two: Evidence, other_date: datetime | None
) -> Compared:
    """``one`` asks about ``two``."""

    def load(wanted: Iterable[Comparable]) -> Iterator[tuple[Comparable, Evidence]]:
        return ((comparable, two) for comparable in wanted)

    query = Query(one, place_of(its_date, one.video_id), [comparable(two, other_date)])
    [[compared]] = find_copies([query], load)
    assert compared.failure is None
    return compared


@pytest.mark.parametrize(
    ("date_of_a", "date_of_b", "original"),
    [
        (DAY, DAY, "a"),
        (None, None, "a"),
        (DAY, None, "a"),
        (None, DAY, "b"),
        (DAY.replace(day=2), DAY, "b"),
    ],
)
def test_pair_has_one_direction_whoever_asks(
    video: Evidence,
    film: Film,
    date_of_a: datetime | None,
    date_of_b: datetime | None,
    original: str,
) -> None:
    whole, part = replace(video, video_id="a"), evidence("b", clips.cut(film, 0, 5))
    ways = asked(whole, date_of_a, part, date_of_b), asked(part, date_of_b, whole, date_of_a)
    assert {(way.original_id, way.copy_id) for way in ways} == {
        (original, "b" if original == "a" else "a")
    }
    assert ways[0].verdict == ways[1].verdict
    assert ways[0].verdict is not None
    assert ways[0].verdict.verdict == ("duplicate" if original == "a" else "partial")
