"""What many pictures carry, a logo or a caption, does not make a match and hides none."""

from __future__ import annotations

from ml.copies.evidence import Pictures
from ml.copies.geometry.frames import match_frames
from tests.unit.copies.geometry.edited import NAMES, captioned, pairs, picture, pictures, with_logo


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
