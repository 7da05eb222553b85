"""Who is who within one video: the faces of its kept frames become persons.

Clear faces that stay in place from one kept frame to the next are a track; tracks are joined by
average linkage of their vectors. Two faces of one frame are never one person. Faces with a flaw
found nobody: they lengthen the time on screen of the person whose place they take over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.people.linkage import average_linkage, group_means, pairs_within
from ml.schemas import PERSONS
from ml.vectors import ModelMismatch, list_matrix, require_finite

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
NOBODY = -1
# Kept frames are about a second apart, and one in which a face was missed is bridged.
MERGED_GAP_S = 1.5
# A frame stands for the time up to the next one; rounding apart, neighbours touch.
_TOUCHING_S = 0.05
# Faces of two kept frames overlap by .5-.9 where a person sits and talks.
_SAME_PLACE = 0.3
# A flawed face has only its place to go by.
_SAME_PLACE_FLAWED = 0.5
# Of a face of quality 0, so that a person of such faces alone still has a mean.
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class _Faces:
    """All faces of one video: n rows by time."""

    video_id: str
    model: str
    frames: Ints
    start_s: Floats
    end_s: Floats
    boxes: Floats
    quality: Floats
    clear: npt.NDArray[np.bool_]
    vectors: Floats
    crops: pa.ChunkedArray

    @property
    def weights(self) -> Floats:
        return np.maximum(self.quality, _LEAST_WEIGHT)


def persons(
    rows: Iterable[pa.RecordBatch], durations_s: Mapping[str, float], same_person_distance: float
) -> Iterator[pa.RecordBatch]:
    """`faces` rows to `persons` rows: a record batch per video with a clear face, in their order.

    Args:
        rows: `faces` rows, those of a video together and by time. One video's are held at a time.
        durations_s: video id to the video's length.
        same_person_distance: Euclidean, between unit vectors: two clear faces that are nearer are
            taken for one person.

    Raises:
        ValueError: vectors with NaN, or a video whose length is not given.
        ModelMismatch: one video's faces come from two models.
    """
    for table in _videos(rows):
        faces = _read(table)
        if faces.video_id not in durations_s:
            raise ValueError(f"video {faces.video_id!r} has faces, but its length is not known")
        people = _who(faces, same_person_distance)
        if people.max(initial=NOBODY) > NOBODY:
            yield _rows(faces, people, durations_s[faces.video_id])


def tracks(
    frames: Ints,
    start_s: Floats,
    end_s: Floats,
    boxes: Floats,
    vectors: Floats,
    same_person_distance: float,
) -> Ints:
    """int64[n]: faces that keep their place from one kept frame to the next share a number.

    Args:
        frames: int64[n], rising: the frame each face is in.
        start_s, end_s: float[n]: the time that frame stands for.
        boxes: float[n, 4]: x0, y0, x1, y1.
        vectors: float[n, d], unit length.
        same_person_distance: faces in one place whose vectors are farther apart are two people:
            an interviewer and a guest are cut to the same place.
    """
    track = np.full(len(frames), NOBODY, np.int64)
    count = 0
    before = np.zeros(0, np.int64)
    for now in _by_frame(frames):
        if len(before) and start_s[now[0]] - end_s[before[0]] <= _TOUCHING_S:
            apart = np.linalg.norm(vectors[now][:, None] - vectors[before], axis=2)
            overlap = overlaps(boxes[now], boxes[before])
            for i, j in _matches(np.where(apart <= same_person_distance, overlap, 0), _SAME_PLACE):
                track[now[i]] = track[before[j]]
        new = now[track[now] == NOBODY]
        track[new] = count + np.arange(len(new))
        count += len(new)
        before = now
    return track


def overlaps(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes x0, y0, x1, y1: float[n, 4], float[m, 4] to float[n, m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), axis=1) for x in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1e-12)


def appearances(start_s: Floats, end_s: Floats) -> tuple[list[float], list[float]]:
    """Starts and ends of the times on screen: those at most `MERGED_GAP_S` apart are one."""
    starts: list[float] = []
    ends: list[float] = []
    for start, end in sorted(zip(start_s.tolist(), end_s.tolist(), strict=True)):
        if ends and start - ends[-1] <= MERGED_GAP_S:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _videos(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows of each video, which may span record batches."""
    slices = (part for batch in rows for part in _slices(batch))
    for _, parts in groupby(slices, key=lambda part: part["video_id"][0].as_py()):
        yield pa.Table.from_batches(list(parts))


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    ids = batch["video_id"].to_numpy(zero_copy_only=False)
    edges = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)]
    for start, end in pairwise(edges):
        if end > start:
            yield batch.slice(start, end - start)


def _read(table: pa.Table) -> _Faces:
    table = table.sort_by([("start_s", "ascending"), ("face_no", "ascending")])
    video_id = table["video_id"][0].as_py()
    models = table["model"].unique().to_pylist()
    if len(models) > 1:
        names = " and ".join(repr(m) for m in models)
        raise ModelMismatch(
            f"faces of video {video_id!r} come from {names}: recompute `faces` for its batch"
        )
    vectors = list_matrix(table["embedding"].combine_chunks())
    require_finite(vectors, f"faces of video {video_id!r}")
    start_s = table["start_s"].to_numpy()
    return _Faces(
        video_id=video_id,
        model=models[0],
        frames=table["frame_no"].to_numpy(),
        start_s=start_s,
        end_s=start_s + table["duration_s"].to_numpy(),
        boxes=np.stack([table[c].to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1),
        quality=table["quality"].to_numpy(),
        clear=table["flaw"].to_numpy() == "",
        vectors=vectors,
        crops=table["crop"],
    )


def _who(faces: _Faces, same_person_distance: float) -> Ints:
    """int64[n]: each face's person, or `NOBODY`."""
    people = np.full(len(faces.frames), NOBODY, np.int64)
    clear = np.flatnonzero(faces.clear)
    if len(clear):
        frames, vectors = faces.frames[clear], faces.vectors[clear]
        track = tracks(
            *(frames, faces.start_s[clear], faces.end_s[clear], faces.boxes[clear]),
            *(vectors, same_person_distance),
        )
        means = group_means(vectors, track, faces.weights[clear])
        apart = np.unique(track[pairs_within(frames)], axis=0)
        people[clear] = average_linkage(means, same_person_distance, apart)[track]
        for turn in (1, -1):
            _take_over(faces, people, turn)
    return people


def _take_over(faces: _Faces, people: Ints, turn: int) -> None:
    """Gives nobody's faces to the person in their place one frame before (``turn`` 1) or after."""
    order = list(_by_frame(faces.frames))[::turn]
    for before, now in pairwise(order):
        gap_s = max(
            faces.start_s[now[0]] - faces.end_s[before[0]],
            faces.start_s[before[0]] - faces.end_s[now[0]],
        )
        if gap_s > _TOUCHING_S:
            continue
        free = now[people[now] == NOBODY]
        known = before[(people[before] != NOBODY) & ~np.isin(people[before], people[now])]
        overlap = overlaps(faces.boxes[free], faces.boxes[known])
        for i, j in _matches(overlap, _SAME_PLACE_FLAWED):
            people[free[i]] = people[known[j]]


def _by_frame(frames: Ints) -> Iterator[Ints]:
    """Row numbers of each frame's faces, frame by frame."""
    if len(frames):
        yield from np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames)) + 1)


def _matches(overlap: Floats, least: float) -> list[tuple[int, int]]:
    """One to one, of the largest overlap in total, each at least ``least``."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-overlap)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= least]


def _rows(faces: _Faces, people: Ints, duration_s: float) -> pa.RecordBatch:
    found = [
        _person(faces, np.flatnonzero(people == person), duration_s)
        for person in range(int(people.max()) + 1)
    ]
    found.sort(key=lambda row: (-row["screen_s"], row["first_s"], row["best_frame_no"]))
    ids = {"video_id": faces.video_id, "model": faces.model}
    rows = [{**row, **ids, "person_no": number} for number, row in enumerate(found)]
    return pa.RecordBatch.from_pylist(rows, schema=PERSONS.schema)


def _person(faces: _Faces, rows: Ints, duration_s: float) -> dict:
    clear = rows[faces.clear[rows]]
    best = clear[np.argmax(faces.quality[clear])]
    vector = np.average(faces.vectors[clear], axis=0, weights=faces.weights[clear])
    vector /= max(float(np.linalg.norm(vector)), 1e-12)
    starts, ends = appearances(faces.start_s[rows], faces.end_s[rows])
    screen_s = float(np.sum(faces.end_s[rows] - faces.start_s[rows]))
    return {
        "face_count": len(rows),
        "screen_s": screen_s,
        # A still picture may last 0 s: who is in it is there all the time.
        "screen_share": min(1.0, screen_s / duration_s) if duration_s > 0 else 1.0,
        "starts_s": starts,
        "ends_s": ends,
        "first_s": starts[0],
        "best_s": float(faces.start_s[best]),
        "best_frame_no": int(faces.frames[best]),
        "quality": float(faces.quality[best]),
        "spread": float(np.linalg.norm(faces.vectors[clear] - vector, axis=1).max()),
        "embedding": vector.astype(np.float32),
        "crop": faces.crops[int(best)].as_py(),
    }
