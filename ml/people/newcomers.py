"""Persons who came after the last full clustering of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ml.clustering.stable import Members
from ml.people.clustering import ALONE, guard_distance
from ml.people.known import Known


def one_of_a_video(members: Members, video_of: Callable[[str], str]) -> Members:
    """The same members, but of those of one video who are one person only the nearest stays.

    Who was with the person before comes first, whatever the distance; the others are alone.

    Args:
        members: sorted by key.
        video_of: from a key to its video.
    """
    videos = np.unique([video_of(key) for key in members.keys], return_inverse=True)[1]
    order = np.lexsort((members.distance, members.joined, members.ids, videos))
    ids, video = members.ids[order], videos[order]
    again = (ids[1:] == ids[:-1]) & (video[1:] == video[:-1]) & (ids[1:] != ALONE)
    out = order[1:][again]
    kept_ids, probability = members.ids.copy(), members.probability.copy()
    kept_ids[out], probability[out] = ALONE, 0
    return replace(members, ids=kept_ids, probability=probability)


def waits_for_a_name(
    members: Members, known: Known, same_person_distance: float, video_of: Callable[[str], str]
) -> bool:
    """Whether a newcomer who joined nobody looks like someone of the known people.

    In a video where that someone is seen already it is a second face of theirs, and waits for
    nothing.
    """
    alone = np.flatnonzero(members.joined & (members.ids == ALONE))
    if not len(alone) or not len(known.vectors):
        return False
    most = guard_distance(len(members.keys), same_person_distance)
    waiting = _named(members, alone, known, most, video_of)
    if not waiting:
        return False
    videos = {video for video, _ in waiting}
    somebody = np.flatnonzero(members.ids != ALONE)
    beside = np.array([video_of(members.keys[row]) in videos for row in somebody.tolist()], bool)
    there = _named(members, somebody[beside], known, same_person_distance, video_of)
    return bool(waiting - there)


def still_themselves(
    keys: Sequence[str],
    z: np.ndarray,
    was: Members,
    video_of: Callable[[str], str],
    same_person_distance: float | None,
) -> np.ndarray:
    """Whether the person of each key is the one who had it before, bool[n].

    Persons of a video are numbered by their time on screen, so a key can pass to somebody else
    when the video is looked at again, and a video can be replaced by another.

    Args:
        keys: sorted, all different.
        z: float32[n, d], unit length.
        was: the members of before.
        video_of: from a key to its video.
        same_person_distance: as far apart vectors of one person may be; None where another model
            made those of before. Then somebody counts who is alone in the video, now and then.
    """
    place = {key: row for row, key in enumerate(was.keys)}
    at = np.array([place.get(key, -1) for key in keys], np.int64)
    same = at >= 0
    if same_person_distance is None:
        alone = _of_one_person(map(video_of, keys)) & _of_one_person(map(video_of, was.keys))
        same &= np.array([video_of(key) in alone for key in keys], bool)
    elif same.any():
        apart = np.linalg.norm(z[same] - was.z[at[same]], axis=1)
        same[same] = apart <= same_person_distance
    return same


def _named(
    members: Members, rows: np.ndarray, known: Known, most: float, video_of: Callable[[str], str]
) -> set[tuple[str, str]]:
    """Video and name of those rows that lie near a known picture."""
    cosines = members.z[rows] @ known.vectors.T
    near = np.sqrt(np.maximum(2 - 2 * cosines.max(axis=1, initial=-1), 0)) <= most
    names = [known.names[at] for at in cosines[near].argmax(axis=1).tolist()]
    return {
        (video_of(members.keys[row]), name) for row, name in zip(rows[near], names, strict=True)
    }


def _of_one_person(videos: Iterable[str]) -> set[str]:
    return {video for video, persons in Counter(videos).items() if persons == 1}
