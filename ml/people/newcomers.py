"""Persons who came after the last full clustering of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ml.people.clustering import ALONE, guard_distance
from ml.people.known import Known
from ml.stable_clusters import Members


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


def waits_for_a_name(members: Members, known: Known, same_person_distance: float) -> bool:
    """Whether a newcomer who joined nobody looks like someone of the known people."""
    alone = members.z[members.joined & (members.ids == ALONE)]
    if not len(alone) or not len(known.vectors):
        return False
    cosines = alone @ known.vectors.T
    nearest = float(np.sqrt(max(0.0, 2 - 2 * float(cosines.max()))))
    return nearest <= guard_distance(len(members.keys), same_person_distance)
