"""People whose names are known from pictures: a folder of pictures per name.

Nothing in such a folder ends a run: what is of no use is left out, with a sentence for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ml.people.clustering import ALONE, guard_distance
from ml.people.linkage import group_means
from ml.vectors import ModelMismatch

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
UNKNOWN = ""
# People of whom more than half appear in videos beside a nearer one of the name are someone else.
_FREE_SHARE = 0.5
# Rows of a block of distances: 4,096 x 1,000 pictures in float64 are 33 MB.
_ROWS = 4096


class PictureFace(Protocol):
    """A face in a picture, as the finder gives it."""

    @property
    def embedding(self) -> npt.NDArray[np.float32]: ...

    @property
    def flaw(self) -> str: ...


@dataclass(frozen=True)
class KnownPicture:
    """A picture of someone.

    Attributes:
        name: who is meant, such as the folder's name.
        label: the file, as a person would look it up: ``known_people/Anna/2.jpg``.
        faces: all faces in it.
        unreadable: why it could not be read; empty if it could.
    """

    name: str
    label: str
    faces: Sequence[PictureFace] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class Known:
    """One row per picture that is of use: names may repeat. And what is wrong, in sentences."""

    names: list[str]
    vectors: npt.NDArray[np.float32]
    problems: list[str]


@dataclass(frozen=True)
class Named:
    """People with names.

    Attributes:
        labels: int64[n], the person of each row by falling size, or `ALONE`.
        names: by label; `UNKNOWN` where no picture is near.
        messages: what was merged or kept apart, in sentences.
    """

    labels: Ints
    names: list[str]
    messages: list[str]


def known_vectors(pictures: Sequence[KnownPicture], same_person_distance: float) -> Known:
    """What the pictures of known people are good for.

    Args:
        pictures: in any order.
        same_person_distance: pictures of two names that are nearer contradict each other: both
            are kept, with a sentence, and the nearer one gives the name.

    Raises:
        ModelMismatch: vectors of different lengths.
    """
    ordered = sorted(pictures, key=lambda picture: (picture.name, picture.label))
    reasons = [_why_not(picture) for picture in ordered]
    used = [p for p, reason in zip(ordered, reasons, strict=True) if not reason]
    problems = [f"{p.label} {why}" for p, why in zip(ordered, reasons, strict=True) if why]
    vectors = _stacked([np.asarray(_sure_faces(p)[0].embedding, np.float32) for p in used])
    problems += _contradictions(used, vectors, same_person_distance)
    named = {p.name for p in used}
    for name in sorted({p.name for p in ordered} - named):
        problems.append(f"{name} has no picture that is of use, and is not looked for")
    return Known([p.name for p in used], vectors, problems)


def name_people(
    vectors: Floats,
    video_ids: Sequence[str],
    labels: Ints,
    known: Known,
    *,
    same_person_distance: float,
) -> Named:
    """Gives people the names of the pictures that they are near.

    People who get one name are one person, and become one; in a video that held both, the nearer
    stays. Known people seen in one video only become people of one video.

    Args:
        vectors: float32[n, d], unit length, as in `cluster_people`.
        video_ids: the n videos.
        labels: int64[n], as `cluster_people` gives them.
        known: as `known_vectors` gives it.
        same_person_distance: the recogniser's; it shrinks with the library as in `guard_distance`.

    Raises:
        ModelMismatch: pictures and persons were embedded by models of different dimensions.
    """
    groups = _each_alone(labels)
    if not known.names or not len(groups):
        return _numbered(groups, [UNKNOWN] * (int(groups.max(initial=-1)) + 1), [])
    if known.vectors.shape[1] != np.shape(vectors)[1]:
        raise ModelMismatch(
            f"pictures of known people have vectors of {known.vectors.shape[1]} dimensions, "
            f"persons of {np.shape(vectors)[1]}: embed both with one model"
        )
    centres = _unit(group_means(np.asarray(vectors, np.float64), groups))
    nearest, distance = _nearest(centres, known.vectors)
    near = distance <= guard_distance(len(groups), same_person_distance)
    names = [known.names[i] if ok else UNKNOWN for i, ok in zip(nearest, near, strict=True)]
    videos = np.unique(np.asarray(video_ids, str), return_inverse=True)[1]
    return _numbered(*_merged(groups, videos, names, distance))


def _why_not(picture: KnownPicture) -> str:
    """Why a picture is left out; empty if it is of use."""
    count = len(_sure_faces(picture))
    if picture.unreadable:
        return f"cannot be read ({picture.unreadable}). It is left out"
    if count == 0:
        return "shows no face. It is left out"
    if count > 1:
        words = {2: "two", 3: "three", 4: "four"}
        return f"shows {words.get(count, count)} faces: which is {picture.name}? It is left out"
    face = _sure_faces(picture)[0]
    if face.flaw:
        return f"shows a face that is {_FLAWS[face.flaw]}. It is left out"
    if not np.isfinite(face.embedding).all():
        return "has a face whose vector holds NaN or infinite values. It is left out"
    return ""


def _sure_faces(picture: KnownPicture) -> Sequence[PictureFace]:
    """The faces that count: what is perhaps none does so only where there is nothing else."""
    sure = [face for face in picture.faces if face.flaw != "unsure"]
    return sure or picture.faces


_FLAWS = {
    "small": "too small to tell people apart",
    "blurred": "too blurred to tell people apart",
    "turned": "turned too far from the camera",
    "cut": "cut off by the picture's edge",
    "unsure": "perhaps none",
}


def _stacked(vectors: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        raise ModelMismatch(
            f"pictures of known people have vectors of {lengths[0]} and of {lengths[-1]} "
            "dimensions: embed all with one model"
        )
    return np.array(vectors, np.float32).reshape(len(vectors), lengths[0] if lengths else 0)


def _contradictions(
    pictures: Sequence[KnownPicture], vectors: Floats, same_person_distance: float
) -> list[str]:
    """A sentence for each two names, of their nearest pictures."""
    nearest: dict[tuple[str, str], tuple[float, str, str]] = {}
    for i, vector in enumerate(vectors[:-1]):
        distances = np.linalg.norm(vectors[i + 1 :] - vector, axis=1)
        for j in (np.flatnonzero(distances <= same_person_distance) + i + 1).tolist():
            names = pictures[i].name, pictures[j].name
            found = float(distances[j - i - 1]), pictures[i].label, pictures[j].label
            if names[0] != names[1]:
                nearest[names] = min(found, nearest.get(names, found))
    return [
        f"{a} and {b} look like one person ({one} and {other}, distance {apart:.2f}): whoever is "
        "near both gets the nearer's name"
        for (a, b), (apart, one, other) in sorted(nearest.items())
    ]


def _each_alone(labels: Ints) -> Ints:
    """Labels from 0 on, with each `ALONE` row as a label of its own."""
    groups = np.array(labels, np.int64)
    alone = np.flatnonzero(groups == ALONE)
    groups[alone] = int(groups.max(initial=ALONE)) + 1 + np.arange(len(alone))
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _unit(x: Floats) -> Floats:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _nearest(centres: Floats, known: Floats) -> tuple[Ints, Floats]:
    """The nearest picture of each centre, and its distance; both of unit length."""
    pictures = _unit(np.asarray(known, np.float64))
    nearest, distance = np.zeros(len(centres), np.int64), np.zeros(len(centres))
    for start in range(0, len(centres), _ROWS):
        rows = slice(start, start + _ROWS)
        cosines = centres[rows] @ pictures.T
        nearest[rows] = cosines.argmax(axis=1)
        distance[rows] = np.sqrt(np.maximum(2 - 2 * cosines.max(axis=1), 0))
    return nearest, distance


def _merged(
    groups: Ints, videos: Ints, names: list[str], distance: Floats
) -> tuple[Ints, list[str], list[str]]:
    """Groups of one name as one, those nearest the picture first."""
    groups, names, messages = groups.copy(), list(names), []
    members = _members(groups)
    named = [group for group, name in enumerate(names) if name != UNKNOWN]
    named.sort(key=lambda group: (names[group], distance[group], group))
    for name, same in groupby(named, key=names.__getitem__):
        first, *others = same
        taken = set(videos[members[first]].tolist())
        joined = 0
        for other in others:
            names[other] = UNKNOWN
            free = np.array([video not in taken for video in videos[members[other]].tolist()])
            if free.mean() < _FREE_SHARE:
                continue
            groups[members[other][free]] = first
            taken.update(videos[members[other]].tolist())
            joined += 1
        messages += _sentences(name, joined, len(others) - joined)
    return groups, names, messages


def _sentences(name: str, joined: int, kept_out: int) -> list[str]:
    sentences = []
    if joined:
        sentences.append(f"{name}: {joined + 1} people are near the pictures, and became one")
    if kept_out:
        sentences.append(
            f"{name}: {kept_out} more near the pictures appear in videos beside someone nearer, "
            "and stay without the name"
        )
    return sentences


def _members(groups: Ints) -> list[Ints]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _numbered(groups: Ints, names: list[str], messages: list[str]) -> Named:
    """Renumbered by falling size; a person of one row stays one only with a name."""
    size = np.bincount(groups, minlength=len(names))
    first = np.full(len(names), len(groups))
    np.minimum.at(first, groups, np.arange(len(groups)))
    kept = np.flatnonzero((size > 1) | (np.array([n != UNKNOWN for n in names], bool) & (size > 0)))
    kept = kept[np.lexsort((first[kept], -size[kept]))]
    number = np.full(len(names), ALONE, np.int64)
    number[kept] = np.arange(len(kept))
    return Named(number[groups], [names[g] for g in kept], messages)
