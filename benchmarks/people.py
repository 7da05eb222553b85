"""How well people are told apart, within a video and over a library.

    python -m benchmarks.people [--clips ../shared/media/clips] [--largest 100000]

Real faces: pieces of clips of twelve people, changed in fifteen ways, and montages of two of them
(``benchmarks/people_videos.py``), through the packaged face finder, `ml.people.joining` and
`ml.people.clustering`. Thresholds were chosen on the tuning half of the people; the held-out half
is given beside it. All pieces of a person come from one recording or two: how a face differs on
another day, in another light and year is not in these figures.

Synthetic faces: libraries of up to 100,000 people with 1 to 20 videos each, whose distances have
the spread that was measured here, and a wider one. Pairs are counted over all rows, and whoever is
in one video only must stay alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import MEDIA
from benchmarks.people_videos import TUNING, PeopleVideo, frame_rows, people_videos
from ml.people.clustering import ALONE, cluster_people, guard_distance
from ml.people.evaluate import pair_counts
from ml.people.joining import persons
from ml.schemas import FACES, PERSONS
from ml.vectors import list_matrix

DISTANCES = (0.26, 0.28, 0.30, 0.32, 0.34, 0.36, 0.38, 0.40, 0.42)
SIZES = (1000, 10_000, 100_000)
# Mean squared distance between two videos of one person: as measured on the clips, and about as
# dlib's network has it between photographs of different days (its own limit of .6 is .41 here).
SPREADS = {"one recording": 0.03, "other days": 0.08}
# The chance that a person has no further video: 3.3 videos on average, or 1.4.
ENDS = {"30 % seen once": 0.3, "70 % seen once": 0.7}
BETWEEN, BETWEEN_DIMENSIONS, WITHIN_DIMENSIONS = 0.28, 28, 40


@dataclass(frozen=True)
class Labelled:
    """Person rows with the truth: float32[n, d] and n names, videos and variants."""

    vectors: npt.NDArray[np.float32]
    names: npt.NDArray[np.str_]
    videos: npt.NDArray[np.str_]
    variants: npt.NDArray[np.str_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> Labelled:
        return Labelled(
            *(self.vectors[chosen], self.names[chosen], self.videos[chosen], self.variants[chosen])
        )


def found_faces(videos: Sequence[PeopleVideo], kept: Path | None) -> pa.Table:
    """`faces` rows of all videos; read from, or written to, ``kept``."""
    if kept and kept.exists():
        return pq.read_table(kept, schema=FACES.schema)
    from ml.faces import PACKAGED, load_face_finder

    finder = load_face_finder(PACKAGED, profile="embedded", device="cpu")
    table = pa.Table.from_batches(finder.find(map(frame_rows, videos)), FACES.schema)
    if kept:
        pq.write_table(table, kept)
    return table


def labelled(videos: Sequence[PeopleVideo], faces: pa.Table, distance: float) -> Labelled:
    """The persons of each video, and who they are: by the place of their best face."""
    durations_s = {video.video_id: float(len(video.pictures)) for video in videos}
    found = pa.Table.from_batches(
        persons(faces.to_batches(), durations_s, distance), PERSONS.schema
    )
    place = {
        (row["video_id"], row["crop"]): (row["start_s"], (row["x0"] + row["x1"]) / 2)
        for row in faces.select(["video_id", "crop", "start_s", "x0", "x1"]).to_pylist()
    }
    by_id = {video.video_id: video for video in videos}
    rows = found.select(["video_id", "person_no", "crop"]).to_pylist()
    names = []
    for row in rows:
        video = by_id[row["video_id"]]
        stranger = f"{row['video_id']} {row['person_no']}"
        at = place[row["video_id"], row["crop"]]
        names.append(video.name_at(*at) if video.spans else stranger)
    ids = [row["video_id"] for row in rows]
    return Labelled(
        list_matrix(found["embedding"].combine_chunks()),
        np.array(names),
        np.array(ids),
        np.array([by_id[video_id].variant for video_id in ids]),
    )


def print_within(videos: Sequence[PeopleVideo], rows: Labelled) -> None:
    """How many persons were found in videos of which it is known how many there are."""
    off = {
        video.video_id: int((rows.videos == video.video_id).sum()) - len(video.spans)
        for video in videos
        if video.spans
    }
    print("\n| persons in a video | videos |\n| --- | --- |")
    print(f"| as many as there are | {sum(n == 0 for n in off.values())} |")
    print(f"| too few | {sum(n < 0 for n in off.values())} |")
    print(f"| too many | {sum(n > 0 for n in off.values())} |")
    print("wrong:", ", ".join(f"{video} {n:+d}" for video, n in off.items() if n) or "none")


def print_distances(rows: Labelled) -> None:
    """What the distances between persons of two videos are, for the synthetic libraries."""
    real = rows.where(np.char.find(rows.names, " ") < 0)
    squares = np.maximum(2 - 2 * real.vectors @ real.vectors.T, 0)
    upper = np.triu(np.ones(squares.shape, bool), 1)
    same = real.names[:, None] == real.names
    print("\n| distance of persons | mean of squares | dimensions | .1 % | 50 % | 99.9 % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, chosen in (("of one person", same & upper), ("of two people", ~same & upper)):
        found = squares[chosen]
        low, middle, high = np.sqrt(np.quantile(found, [0.001, 0.5, 0.999]))
        dimensions = 2 * found.mean() ** 2 / found.var()
        figures = f"{found.mean():.3f} | {dimensions:.0f} | {low:.3f} | {middle:.3f} | {high:.3f}"
        print(f"| {name} | {figures} |")


def print_thresholds(rows: Labelled, default: float) -> None:
    """Precision and recall of pairs by `same_person_distance`, for both halves of the people."""
    tuning = np.isin(rows.names, sorted(TUNING))
    halves = {"tuning": rows.where(tuning), "held out": rows.where(~tuning), "all": rows}
    print("\n| same_person_distance | " + " | ".join(f"{half} P / R" for half in halves) + " |")
    print("| --- |" + " --- |" * len(halves))
    for distance in DISTANCES:
        cells = [_scores(half, distance) for half in halves.values()]
        name = f"**{distance:.2f}**" if distance == default else f"{distance:.2f}"
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_variants(rows: Labelled, distance: float) -> None:
    """Recall and precision over the pairs that a variant's rows are in."""
    labels = _labels(rows, distance)
    every = pair_counts(labels, rows.names)
    print("\n| variant | persons | precision | recall |\n| --- | --- | --- | --- |")
    for variant in dict.fromkeys(rows.variants):
        others = rows.variants != variant
        own = every - pair_counts(labels[others], rows.names[others])
        print(f"| {variant} | {int((~others).sum())} | {own.precision:.3f} | {own.recall:.3f} |")


def print_alone(rows: Labelled, distance: float) -> None:
    """Each person in turn is left in one video only, beside all others, and must stay alone."""
    several = [name for name in np.unique(rows.names) if (rows.names == name).sum() > 1]
    wrong = checked = 0
    for name in several:
        for row in np.flatnonzero(rows.names == name):
            kept = rows.names != name
            kept[row] = True
            labels = _labels(rows.where(kept), distance)
            wrong += int(labels[np.flatnonzero(np.flatnonzero(kept) == row)[0]] != ALONE)
            checked += 1
    ones = ~np.isin(rows.names, several)
    joined = int((_labels(rows, distance)[ones] != ALONE).sum())
    print(f"\nleft in one video only: {wrong} of {checked} were joined with someone else")
    print(f"of {int(ones.sum())} people who are in one video anyway: {joined}")


def synthetic(
    people: int, spread: float, end: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Unit vectors of people in 1 to 20 videos (geometric with ``end``), and whose they are.

    Normal in `BETWEEN_DIMENSIONS` about a common direction; a video's deviation is normal in
    `WITHIN_DIMENSIONS`, half of which people differ in, too, and larger in some videos.
    """
    count = np.minimum(rng.geometric(end, people), 20)
    whose = np.repeat(np.arange(people), count)
    axes = np.linalg.qr(rng.standard_normal((128, 128)))[0]
    between, first = axes[:, :BETWEEN_DIMENSIONS], BETWEEN_DIMENSIONS // 2
    within = axes[:, first : first + WITHIN_DIMENSIONS]
    own = rng.standard_normal((people, BETWEEN_DIMENSIONS)) @ between.T
    centre = own * np.sqrt(BETWEEN / 2 / BETWEEN_DIMENSIONS) + axes[:, -1] * np.sqrt(
        1 - BETWEEN / 2
    )
    noise = rng.standard_normal((len(whose), WITHIN_DIMENSIONS)) @ within.T
    noise *= np.exp(rng.normal(0, 0.35, len(whose)))[:, None]
    x = centre[whose] + noise * np.sqrt(spread / 2 / WITHIN_DIMENSIONS)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), whose


def print_growth(largest: int, distance: float) -> None:
    """Precision and recall as the library grows and the nearest stranger comes nearer."""
    print("\n| one person's videos | people | persons | guard | precision | recall ", end="")
    print("| seen once, and joined | precision unshrunk |")
    print("| --- |" + " --- |" * 7)
    for (spread, squares), (ends, end) in product(SPREADS.items(), ENDS.items()):
        for people in (size for size in SIZES if size <= largest):
            x, whose = synthetic(people, squares, end, np.random.default_rng(people))
            print(
                f"| {spread}, {ends} | {people:,} {_growth_cells(x, whose, distance)}", flush=True
            )


def _growth_cells(x: npt.NDArray[np.float32], whose: npt.NDArray[np.int64], distance: float) -> str:
    videos = [str(row) for row in range(len(x))]
    guard = guard_distance(len(x), distance)
    labels = cluster_people(x, videos, same_person_distance=distance).labels
    # At a distance that the guard shrinks back to the recogniser's own.
    unshrunk = cluster_people(x, videos, same_person_distance=distance**2 / guard).labels
    counts = pair_counts(labels, whose)
    joined = (labels[np.bincount(whose)[whose] == 1] != ALONE).mean()
    return (
        f"| {len(x):,} | {guard:.3f} | {counts.precision:.4f} | {counts.recall:.3f} "
        f"| {joined:.1%} | {pair_counts(unshrunk, whose).precision:.4f} |"
    )


def _labels(rows: Labelled, distance: float) -> npt.NDArray[np.int64]:
    videos = rows.videos.tolist()
    return cluster_people(rows.vectors, videos, same_person_distance=distance).labels


def _scores(rows: Labelled, distance: float) -> str:
    counts = pair_counts(_labels(rows, distance), rows.names)
    return f"{counts.precision:.4f} / {counts.recall:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, default=MEDIA / "clips")
    parser.add_argument("--faces", type=Path, help="Parquet file that keeps the faces found")
    parser.add_argument("--largest", type=int, default=100_000, help="people, synthetic")
    options = parser.parse_args()
    from ml.faces import PACKAGED, same_person_distance

    distance = same_person_distance(PACKAGED)
    if options.clips.is_dir():
        videos = list(people_videos(options.clips))
        rows = labelled(videos, found_faces(videos, options.faces), distance)
        print(f"{len(videos)} videos, {len(rows.names)} persons, {len(set(rows.names))} people")
        print_within(videos, rows)
        print_distances(rows)
        print_thresholds(rows, distance)
        print_variants(rows, distance)
        print_alone(rows, distance)
    else:
        print(f"no {options.clips}: nothing is measured on real faces")
    print_growth(options.largest, distance)


if __name__ == "__main__":
    main()
