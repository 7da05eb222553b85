"""Frames that show the same picture are found whatever was done to them, and others are not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from ml.copies.evidence import FrameMatches, Pictures
from ml.copies.features import describe_picture, empty_pictures
from ml.copies.geometry import verification as geometry
from ml.copies.geometry.verification import match_frames
from samples.photographs import photograph

WIDTH, HEIGHT = 480, 270
NAMES = ("china", "coffee", "motorcycle", "flower", "astronaut")
Edit = Callable[[np.ndarray], np.ndarray]
# A match of less weight is no evidence worth having.
SURE = 0.5


def picture(name: str, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    source = photograph(name)
    factor = max(width / source.shape[1], height / source.shape[0])
    size = [int(np.ceil(n * factor)) for n in source.shape[1::-1]]
    return cv2.resize(source, size, interpolation=cv2.INTER_AREA)[:height, :width].copy()


def pictures(some: Sequence[np.ndarray]) -> Pictures:
    each = [describe_picture(np.ascontiguousarray(p)) for p in some]
    counts = [len(d.geometry) for d in each]
    return Pictures(
        start_s=np.arange(len(each), dtype=np.float64),
        duration_s=np.ones(len(each)),
        aspect=np.array([p.shape[1] / p.shape[0] for p in some], np.float32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        geometry=np.concatenate([d.geometry for d in each]),
        descriptors=np.concatenate([d.descriptors for d in each]),
        hashes=np.stack([d.hash for d in each]),
        detail=np.array([d.detail for d in each], np.float32),
    )


@pytest.fixture(scope="module")
def originals() -> Pictures:
    return pictures([picture(name) for name in NAMES])


def pairs(matches: FrameMatches, least_weight: float = SURE) -> set[tuple[int, int]]:
    kept = matches.weight >= least_weight
    both = zip(matches.query_frame[kept], matches.reference_frame[kept], strict=True)
    return {(int(q), int(r)) for q, r in both}


def recompressed(p: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", p, [1, 20])[1], 1))


def small(p: np.ndarray) -> np.ndarray:
    return cv2.resize(p, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


def cropped(p: np.ndarray) -> np.ndarray:
    return cv2.resize(p[70:205, 100:340], (WIDTH, HEIGHT))


def turned(p: np.ndarray, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), -degrees, 1)
    return cv2.warpAffine(p, matrix, (WIDTH, HEIGHT))


def in_corner(p: np.ndarray) -> np.ndarray:
    outer = picture("chelsea")
    inner = cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    outer[20 : 20 + inner.shape[0], 260 : 260 + inner.shape[1]] = inner
    return outer


def filmed(p: np.ndarray) -> np.ndarray:
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    seen = np.array([[50, 25], [460, 8], [440, 250], [25, 240]], np.float32)
    return cv2.warpPerspective(p, cv2.getPerspectiveTransform(corners, seen), (WIDTH, HEIGHT))


def captioned(p: np.ndarray, text: str) -> np.ndarray:
    p = p.copy()
    cv2.putText(p, text, (30, 240), 0, 1.1, (0, 0, 0), 6, cv2.LINE_AA)
    cv2.putText(p, text, (30, 240), 0, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
    return p


def with_logo(p: np.ndarray) -> np.ndarray:
    p = p.copy()
    cv2.circle(p, (430, 45), 32, (200, 30, 40), -1)
    cv2.putText(p, "TV5", (404, 54), 0, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    return p


def letterboxed(p: np.ndarray) -> np.ndarray:
    return np.pad(p, ((105, 105), (0, 0), (0, 0)))


EDITS: dict[str, Edit] = {
    "recompressed": recompressed,
    "a quarter of the size": small,
    "cropped to half": cropped,
    "turned by 5 degrees": lambda p: turned(p, 5),
    "turned by 90 degrees": lambda p: np.rot90(p, -1),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 3),
    "picture in picture": in_corner,
    "filmed from a screen": filmed,
    "captioned": lambda p: captioned(p, "WATCH UNTIL THE END"),
    "letterboxed": letterboxed,
    "dark": lambda p: (p * 0.4).astype(np.uint8),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_frame_matches_its_original_and_no_other(originals: Pictures, edit: str) -> None:
    query = pictures([EDITS[edit](picture(name)) for name in NAMES])
    found = match_frames(query, originals)
    wanted = {(i, i) for i in range(len(NAMES))}
    assert pairs(found, geometry.MIN_WEIGHT) - wanted == set()
    assert len(pairs(found) & wanted) >= len(NAMES) - (edit == "picture in picture")


def test_mirrored_frames_match_when_asked_for_and_not_otherwise(originals: Pictures) -> None:
    query = pictures([picture(name)[:, ::-1] for name in NAMES])
    found = match_frames(query, originals, mirrored=True)
    assert pairs(found) == {(i, i) for i in range(len(NAMES))}
    assert found.mirrored.all()
    plain = match_frames(query, originals)
    assert pairs(plain) == set()
    assert not plain.mirrored.any()


def test_unrelated_frames_with_the_same_logo_do_not_match(originals: Pictures) -> None:
    query = pictures([with_logo(picture("chelsea")), with_logo(picture("rocket"))])
    reference = pictures([with_logo(picture(name)) for name in NAMES])
    assert pairs(match_frames(query, reference), 0.3) == set()


def test_unrelated_frames_with_the_same_caption_do_not_match() -> None:
    query = pictures([captioned(picture("chelsea"), "WATCH UNTIL THE END")])
    reference = pictures([captioned(picture(name), "WATCH UNTIL THE END") for name in NAMES])
    assert pairs(match_frames(query, reference), 0.3) == set()


def test_caption_and_logo_do_not_hide_a_copy() -> None:
    query = pictures([with_logo(captioned(picture(name), "NOBODY KNOWS WHY")) for name in NAMES])
    reference = pictures([with_logo(captioned(picture(n), "THE OTHER WORDS")) for n in NAMES])
    assert pairs(match_frames(query, reference)) == {(i, i) for i in range(len(NAMES))}


def test_repeated_texture_does_not_match_another_one() -> None:
    tile = np.random.default_rng(1).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    other = np.random.default_rng(2).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    wall, other_wall = (np.tile(cv2.GaussianBlur(t, (0, 0), 2), (9, 16, 1)) for t in (tile, other))
    assert pairs(match_frames(pictures([wall]), pictures([other_wall]))) == set()


def test_transform_says_where_the_crop_was(originals: Pictures) -> None:
    found = match_frames(pictures([cropped(picture("china"))]), originals)
    transform = found.transform[found.reference_frame == 0][0]
    assert geometry.scale(transform) == pytest.approx(0.5, abs=0.02)
    assert geometry.rotation_deg(transform) == pytest.approx(0, abs=2) or (
        geometry.rotation_deg(transform) > 358
    )
    overlap = geometry.overlap_box(transform, WIDTH / HEIGHT, WIDTH / HEIGHT)
    assert overlap is not None
    expected = np.array([100, 70, 340, 205]) / WIDTH
    assert np.allclose(overlap.reference, expected, atol=0.02)
    assert overlap.query_share == pytest.approx(1, abs=0.03)
    assert overlap.reference_share == pytest.approx(0.25, abs=0.03)


def test_transform_of_a_turned_frame_turns_it_back(originals: Pictures) -> None:
    query = pictures([np.rot90(picture("china"), -1)])  # a quarter turn clockwise
    found = match_frames(query, originals)
    assert geometry.rotation_deg(found.transform[0]) == pytest.approx(270, abs=2)


def test_transform_of_a_mirrored_frame_maps_mirrored_places(originals: Pictures) -> None:
    found = match_frames(pictures([picture("china")[:, ::-1]]), originals, mirrored=True)
    assert np.allclose(found.transform[0], np.eye(2, 3), atol=0.01)


def test_pictures_apart_do_not_overlap() -> None:
    shifted = np.array([[1, 0, 2.0], [0, 1, 0]], np.float32)
    assert geometry.overlap_box(shifted, 1.5, 1.5) is None


def test_frames_without_features_match_by_hash_alone(originals: Pictures) -> None:
    bare = Pictures(
        **{
            **vars(originals),
            "offsets": np.zeros(len(NAMES) + 1, np.int32),
            "geometry": np.zeros((0, 4), np.float32),
            "descriptors": np.zeros((0, 128), np.uint8),
        }
    )
    found = match_frames(bare, originals)
    assert pairs(found) == {(i, i) for i in range(len(NAMES))}
    assert not found.inliers.any()


def test_black_and_flat_frames_match_nothing_not_even_themselves() -> None:
    flat = pictures([np.full((HEIGHT, WIDTH, 3), grey, np.uint8) for grey in (0, 90, 255)])
    assert pairs(match_frames(flat, flat), 0) == set()


def test_nothing_matches_an_empty_video(originals: Pictures) -> None:
    assert len(match_frames(empty_pictures(), originals).weight) == 0
    assert len(match_frames(originals, empty_pictures()).weight) == 0


def test_long_videos_are_compared_by_their_first_features(
    originals: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = pictures([cropped(picture(name)) for name in NAMES])
    in_full = match_frames(query, originals)
    monkeypatch.setattr(geometry, "EXHAUSTIVE_PAIRS", 0)
    monkeypatch.setattr(geometry, "MAX_PARTNERS", 1)
    monkeypatch.setattr(geometry, "FRAMES_AT_ONCE", 2)
    monkeypatch.setattr(geometry, "ROWS_AT_ONCE", 100)
    coarse = match_frames(query, originals)
    assert pairs(coarse) == pairs(in_full) == {(i, i) for i in range(len(NAMES))}


def test_of_too_many_frames_every_nth_of_the_longer_video_is_compared(
    originals: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "EXHAUSTIVE_PAIRS", 0)
    monkeypatch.setattr(geometry, "MAX_COARSE_PAIRS", 3)
    assert pairs(match_frames(pictures([cropped(picture("coffee"))]), originals)) == set()
    assert pairs(match_frames(pictures([cropped(picture("motorcycle"))]), originals)) == {(0, 2)}


def test_swapping_the_videos_finds_the_same_pairs(originals: Pictures) -> None:
    query = pictures([in_corner(picture("china")), cropped(picture("coffee"))])
    forth = pairs(match_frames(query, originals), 0.3)
    back = pairs(match_frames(originals, query), 0.3)
    assert forth == {(q, r) for r, q in back} == {(0, 0), (1, 1)}


def test_matches_of_one_frame_take_memory_by_that_frame() -> None:
    """Rows far into a long video are counted from the frame's own first feature."""
    far = 300_000
    rows = np.arange(40, dtype=np.int64)
    matches = geometry._Tentative(
        pair=7_000 * 10_800 + rows % 4,
        query=far + rows,
        reference=far + rows,
        cosine=np.linspace(0.8, 1, 40, dtype=np.float32),
    )
    tracemalloc.start()
    kept = geometry._mutual(matches, 10_800)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept.query) == 40
    assert peak < 1_000_000
