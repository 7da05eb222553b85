"""Which videos of the library may share pictures with a new one: an inverted file of features.

Every video has some 300 to 450 *postings* (``ml/copies/index_features.py``) of 18 bytes: the cell
and the signature of a local feature (``ml/copies/quantiser.py``), its angle and size, its unit. A
search looks up the features of the new video, plain and mirrored, in the cells near to them, keeps
postings whose signature differs in few bits, and counts for each unit how many agree on one
turn and one change of size (weak geometric consistency: Jegou, Douze and Schmid, ECCV 2008).

A feature votes at most once for a video, so that stills and loops count once, and a feature that
is in many videos weighs little. Nothing depends on the order in which batches came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.copies.evidence import Candidate, Pictures
from ml.copies.features import mirrored_descriptors
from ml.copies.index_features import (
    ANGLES,
    IndexFeatures,
    index_features,
    mirrored_places,
)
from ml.copies.picture_segments import (
    BLOCK,
    FORMAT,
    UNITS,
    Segment,
    read_manifest,
)
from ml.copies.quantiser import Quantiser
from ml.indexes.files import IndexDamaged
from ml.indexes.verified import Verify

# Bits of 64 in which signatures of one feature may differ: 95 % of those that a copy repeats do
# in at most 10 to 13, by the edit.
HAMMING = 12
# Features that must agree on turn and size for a video to become a candidate.
MIN_AGREEING = 3
# Postings that one search reads at most, rarest features first; see `_within_budget`.
READ_LIMIT = 4_000_000
LIMIT = 64
# Bins of 45 degrees and one octave, each overlapping the next by half: SIFT repeats its angle to
# within 10 degrees and its size to within a third of an octave.
_BUCKETS = 1 << 22
_ANGLE_STEP, _ANGLE_BINS = ANGLES // 16, 16
_SIZE_STEP, _SIZE_BINS = 4, 32

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Matches:
    """Pairs of a feature of the search and a posting whose signatures are alike."""

    feature: I64  # place among the searched features, mirrored ones after the plain ones
    unit: I64  # in all segments
    distance: I64  # bits
    place: I64  # the posting's angle and size
    signature: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class _Searched:
    """Features to search with: the plain ones, then the same mirrored."""

    keys: npt.NDArray[np.uint32]  # [n, probes]
    signatures: npt.NDArray[np.uint64]  # [n]
    places: I64  # [n]
    units: I64  # [n]; those of mirrored features follow those of plain ones
    unit_count: int


class PictureIndex:
    """An index as it was when it was opened; later updates don't change it.

    Attributes:
        video_count: videos inside, those without any feature too.
        posting_count: features inside.
        bytes: size of the files.
        segment_count: segments that these files are.
    """

    def __init__(self, segments: list[Segment], quantiser: Quantiser) -> None:
        self._segments, self._quantiser = segments, quantiser
        tables = [UNITS.empty_table(), *(s.units for s in segments)]
        ids = pa.concat_tables(tables)["video_id"].combine_chunks().dictionary_encode()
        self._live = np.concatenate([np.zeros(0, np.bool_), *(s.live for s in segments)])
        self._video_of_unit = ids.indices.to_numpy().astype(np.int64)
        self._ids = ids.dictionary
        self._first_units = np.cumsum([0, *(len(s.units) for s in segments)])
        self.video_count = len(np.unique(self._video_of_unit[self._live]))
        self.posting_count = sum(s.live_postings for s in segments)
        self.bytes = sum(s.bytes for s in segments)
        self.segment_count = len(segments)

    @classmethod
    def open(cls, folder: Path | str, *, verify: Verify = False) -> PictureIndex:
        """The index in a folder; an empty one when nothing was written there yet.

        Args:
            folder: where `update_picture_index` wrote it.
            verify: compare checksums, about 1 s per GB, or only those of files that are not known
                to be whole. Sizes are always compared.

        Raises:
            IndexDamaged: its files can't be read, or are of another version of this code.
        """
        folder = Path(folder)
        while True:
            manifest = read_manifest(folder)
            if manifest.format != FORMAT:
                raise IndexDamaged(folder, f"it has format {manifest.format}, this is {FORMAT}")
            try:
                segments = [Segment.open(folder, e, verify=verify) for e in manifest.segments]
                return cls(segments, Quantiser.load())
            except IndexDamaged:
                # An update may have replaced it since the manifest was read.
                if read_manifest(folder) == manifest:
                    raise

    def search(
        self, pictures: Pictures, *, exclude: str = "", limit: int = LIMIT
    ) -> list[Candidate]:
        """Videos that may share pictures with this one, best first, at most ``limit``.

        Args:
            pictures: the video to look for.
            exclude: a video that is not to be found: itself.
            limit: candidates at most.

        Returns:
            Candidates with ``by`` "pictures"; ``score`` is how many features agree on one turn
            and one change of size, each weighing 1 when no other video has it. Equal scores
            stand by video id.
        """
        searched = self._searched(index_features(pictures))
        matches = self._matches(searched)
        matches = _select(matches, self._is_wanted(matches.unit, exclude))
        if not len(matches.feature):
            return []
        weights = _weights(matches.feature, self._video_of_unit[matches.unit], self.video_count)
        group = matches.unit * 2 * searched.unit_count + searched.units[matches.feature]
        rows = _in_large_groups(group)
        matches, group = _select(matches, rows), group[rows]
        rows = _first_votes(matches, group)
        matches, (groups, group) = (
            _select(matches, rows),
            np.unique(group[rows], return_inverse=True),
        )
        if not len(groups):
            return []
        score, agreeing = _agreement(matches, group, weights[matches.feature], searched)
        good = np.flatnonzero(agreeing >= MIN_AGREEING)
        return self._candidates(groups[good], score[good], searched.unit_count, limit)

    def _searched(self, features: IndexFeatures) -> _Searched:
        mirrored = mirrored_descriptors(features.descriptors)
        both = np.concatenate([features.descriptors, mirrored])
        places = np.concatenate([features.places, mirrored_places(features.places)])
        units = features.units.astype(np.int64)
        return _Searched(
            self._quantiser.probes(both),
            self._quantiser.signatures(both),
            places.astype(np.int64),
            np.concatenate([units, units + features.unit_count]),
            features.unit_count,
        )

    def _matches(self, searched: _Searched) -> _Matches:
        """Postings in the probed cells whose signatures are alike, the rarest cells first."""
        cells, cell = np.unique(searched.keys.ravel(), return_inverse=True)
        ranges = [_ranges(segment, cells, cell) for segment in self._segments]
        if not ranges:
            return _no_matches()
        lengths = sum((stop - start for start, stop in ranges), np.zeros(len(cell), np.int64))
        kept = _within_budget(lengths.reshape(searched.keys.shape).sum(axis=1))
        rows = np.flatnonzero(np.repeat(kept, searched.keys.shape[1]))
        found = [
            part
            for segment, (start, stop), first in zip(
                self._segments, ranges, self._first_units[:-1].tolist(), strict=True
            )
            for part in _alike(segment, start[rows], stop[rows], rows, first, searched)
        ]
        return _joined(found)

    def _is_wanted(self, units: I64, exclude: str) -> npt.NDArray[np.bool_]:
        wanted = self._live[units]
        excluded = self._ids.index(exclude).as_py() if exclude else -1
        return np.asarray(wanted & (self._video_of_unit[units] != excluded))

    def _candidates(self, groups: I64, score: F64, unit_count: int, limit: int) -> list[Candidate]:
        """The best group of each video, as a candidate."""
        video = self._video_of_unit[groups // (2 * unit_count)]
        is_mirrored = groups % (2 * unit_count) >= unit_count
        order = np.lexsort([is_mirrored, -score, video])
        order = order[np.r_[True, np.diff(video[order]) != 0][: len(order)]]
        # Ids of the best only, and of all that tie with the last of them.
        if len(order) > limit:
            worst = -np.partition(-score[order], limit - 1)[limit - 1]
            order = order[score[order] >= worst]
        ids = self._ids.take(pa.array(video[order])).to_pylist()
        found = [
            Candidate(video_id, float(score[row]), "pictures", bool(is_mirrored[row]))
            for video_id, row in zip(ids, order.tolist(), strict=True)
        ]
        return sorted(found, key=lambda c: (-c.score, c.video_id))[:limit]


def _ranges(segment: Segment, cells: npt.NDArray[np.uint32], cell: I64) -> tuple[I64, I64]:
    """Where in a segment the postings of each probed cell, one of ``cells``, start and stop."""
    # A cell's end is searched for beside its start, where memory is in the cache.
    bounds = np.stack([cells, cells + np.uint32(1)], axis=1)
    found = np.searchsorted(segment.columns["keys"], bounds.ravel()).reshape(-1, 2)
    return found[cell, 0], found[cell, 1]


def _within_budget(lengths: I64) -> npt.NDArray[np.bool_]:
    """Which features are looked up: those with the fewest postings, `READ_LIMIT` of them in all.

    Below some 250,000 videos of 20 frames all are. Beyond, what is left out is what tells least:
    the features that most videos have something like. So reading does not get slower as the
    library grows. A quarter of the postings finds what all find (100,000 videos, real clips among
    them); an eighth loses 2 of 34 pictures in pictures, and nothing else.
    """
    order = np.argsort(lengths, kind="stable")
    kept = np.empty(len(lengths), np.bool_)
    kept[order] = np.cumsum(lengths[order]) <= READ_LIMIT
    return kept


def _alike(
    segment: Segment, start: I64, stop: I64, rows: I64, first_unit: int, searched: _Searched
) -> Iterator[_Matches]:
    """Matches in a segment's ranges, about `BLOCK` postings at a time."""
    lengths = stop - start
    blocks = np.cumsum(lengths) // BLOCK
    features = rows // searched.keys.shape[1]
    cuts = np.r_[0, np.flatnonzero(np.diff(blocks)) + 1, len(rows)]
    for low, high in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        size = lengths[low:high]
        total = int(size.sum())
        if not total:
            continue
        offsets = np.cumsum(size) - size
        postings = np.arange(total) + np.repeat(start[low:high] - offsets, size)
        feature = np.repeat(features[low:high], size)
        signatures = segment.columns["signatures"][postings]
        distance = np.bitwise_count(signatures ^ searched.signatures[feature])
        near = np.flatnonzero(distance <= HAMMING)
        postings = postings[near]
        yield _Matches(
            feature[near],
            segment.columns["units"][postings].astype(np.int64) + first_unit,
            distance[near].astype(np.int64),
            segment.columns["places"][postings].astype(np.int64),
            signatures[near],
        )


def _weights(feature: I64, video: I64, video_count: int) -> F64:
    """The weight of each feature: 1 when one video has it, towards 0 when all have.

    (log(1 + N / df) / log(1 + N)) ^ 2, with df counted in videos. The square makes an intro that
    200 of 1,000 videos share weigh 0.07 a feature: 80 of its features count as 5 of a rare frame.
    """
    most = int(video.max()) + 1
    pairs = np.sort(feature * most + video)
    pairs = pairs[np.r_[True, np.diff(pairs) != 0]]
    counts = np.bincount(pairs // most)
    return np.asarray((np.log1p(video_count / np.maximum(counts, 1)) / np.log1p(video_count)) ** 2)


def _in_large_groups(group: I64) -> I64:
    """Rows of groups that may have `MIN_AGREEING` matches: few of a million videos have.

    Counted by a remainder, so that a group of the same remainder may let a smaller one pass.
    """
    bucket = group % _BUCKETS
    return np.flatnonzero(np.bincount(bucket)[bucket] >= MIN_AGREEING)


def _first_votes(matches: _Matches, group: I64) -> I64:
    """The matches that count: one for each feature of the search in a unit, one for each posting.

    The nearest signature counts; equals stand by the posting's own values, never by its position.
    """
    order = np.lexsort([matches.place, matches.signature, matches.feature, matches.distance])
    order = order[_is_first(group[order], matches.feature[order])]
    posting = matches.signature.astype(np.int64) ^ (matches.place << 40)
    return np.asarray(order[_is_first(group[order], posting[order])])


def _is_first(group: I64, value: I64) -> npt.NDArray[np.bool_]:
    """Whether a pair of numbers stands for the first time."""
    order = np.lexsort([value, group])
    new = np.r_[True, (np.diff(group[order]) != 0) | (np.diff(value[order]) != 0)]
    first = np.empty(len(group), np.bool_)
    first[order] = new[: len(group)]
    return first


def _agreement(matches: _Matches, group: I64, weight: F64, searched: _Searched) -> tuple[F64, I64]:
    """Of each group: the weight, and the number, of matches that agree best on turn and size."""
    group_count = int(group.max()) + 1
    place = searched.places[matches.feature]
    turn = ((matches.place >> 6) - (place >> 6)) % ANGLES // _ANGLE_STEP
    growth = ((matches.place & 63) - (place & 63) + 64) // _SIZE_STEP
    closeness = 1 - matches.distance / (2 * HAMMING)
    cells = [
        (group * _ANGLE_BINS + (turn + i) % _ANGLE_BINS) * (_SIZE_BINS + 1) + growth + j
        for i in (0, 1)
        for j in (0, 1)
    ]
    cell, place_of = np.unique(np.concatenate(cells), return_inverse=True)
    votes = np.bincount(place_of, np.tile(weight * closeness, 4))
    counts = np.bincount(place_of)
    owner = cell // (_ANGLE_BINS * (_SIZE_BINS + 1))
    starts = np.searchsorted(owner, np.arange(group_count))
    return np.maximum.reduceat(votes, starts), np.maximum.reduceat(counts, starts)


def _select(matches: _Matches, rows: npt.NDArray[np.generic]) -> _Matches:
    return _Matches(
        matches.feature[rows],
        matches.unit[rows],
        matches.distance[rows],
        matches.place[rows],
        matches.signature[rows],
    )


def _no_matches() -> _Matches:
    nothing = np.zeros(0, np.int64)
    return _Matches(nothing, nothing, nothing, nothing, nothing.astype(np.uint64))


def _joined(parts: list[_Matches]) -> _Matches:
    every = [_no_matches(), *parts]
    return _Matches(
        np.concatenate([p.feature for p in every]),
        np.concatenate([p.unit for p in every]),
        np.concatenate([p.distance for p in every]),
        np.concatenate([p.place for p in every]),
        np.concatenate([p.signature for p in every]),
    )
