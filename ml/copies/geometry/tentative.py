"""Features of two videos' frames that look alike: matches that the geometry has yet to confirm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.copies.evidence import F32, I64, Mask, Pictures
from ml.copies.features import unit_vectors

# Cosine of two RootSIFT descriptors that may show the same place.
MIN_COSINE = 0.82


@dataclass(frozen=True)
class Tentative:
    """T matches of features that look alike, sorted by pair of frames."""

    pair: I64  # [T] query frame * reference frames + reference frame
    query: I64  # [T] row of the query's features
    reference: I64  # [T]
    cosine: F32  # [T]


def tentative_matches(
    query: Pictures, reference: Pictures, partners: list[I64] | None
) -> Tentative:
    """Matches above ``MIN_COSINE`` that are the best of both features in that pair of frames."""
    frame_of = np.repeat(np.arange(reference.frame_count), np.diff(reference.offsets))
    everything = unit_vectors(
        reference.descriptors if partners is None else reference.descriptors[:0]
    )
    parts = []
    for frame in range(query.frame_count):
        first, last = query.offsets[frame], query.offsets[frame + 1]
        rows = None if partners is None else _rows_of(reference, partners[frame])
        if first == last or (rows is not None and not len(rows)):
            continue
        right = everything if rows is None else unit_vectors(reference.descriptors[rows])
        cosine = unit_vectors(query.descriptors[first:last]) @ right.T
        near = np.flatnonzero(cosine > MIN_COSINE)
        i, j = np.divmod(near, cosine.shape[1])
        value = cosine.ravel()[near]
        j = j if rows is None else rows[j]
        pair = frame * reference.frame_count + frame_of[j]
        parts.append(_mutual(Tentative(pair, first + i, j, value), reference.frame_count))
    if not parts:
        empty = np.zeros(0, np.int64)
        return Tentative(empty, empty, empty, np.zeros(0, np.float32))
    return _joined(parts)


def _rows_of(pictures: Pictures, frames: I64) -> I64:
    spans = [np.arange(pictures.offsets[f], pictures.offsets[f + 1]) for f in frames]
    return np.concatenate(spans).astype(np.int64) if spans else np.zeros(0, np.int64)


def _joined(parts: list[Tentative]) -> Tentative:
    return Tentative(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("pair", "query", "reference", "cosine")
        )
    )


def _mutual(all_of: Tentative, reference_frames: int) -> Tentative:
    """Of one query frame's matches: those best for both features in the pair, best first."""
    if not len(all_of.query):
        return all_of
    order = np.argsort(-all_of.cosine)
    q, r, frame = all_of.query[order], all_of.reference[order], all_of.pair[order]
    # Counted from the frame's own first feature: a long video's rows would make the tables below
    # as long as it is (two of 3 hours: 24 GB).
    q_low, r_low = q.min(), r.min()
    frame = frame % reference_frames
    # In order of cosine, a feature's first match is its best; a reference feature is in one pair.
    width = q.max() - q_low + 1
    kept = order[_is_first(frame * width + q - q_low) & _is_first(r - r_low)]
    kept = kept[np.argsort(all_of.pair[kept], kind="stable")]
    return Tentative(*(values[kept] for values in vars(all_of).values()))


def _is_first(keys: I64) -> Mask:
    """Whether no earlier element is the same; for small non-negative numbers."""
    position = np.arange(len(keys))
    first = np.empty(keys.max(initial=0) + 1, np.int64)
    first[keys[::-1]] = position[::-1]
    return first[keys] == position
