"""Which frames of two videos show the same picture, and the plane transform between them.

All features of the query are compared with all of the reference by matrix products, and what
matches must agree on one transform. Hashes of the whole pictures find what has too few features.
"""

from __future__ import annotations

import numpy as np

from ml.copies.evidence import FrameMatches, Pictures
from ml.copies.features import mirrored as mirrored_pictures
from ml.copies.geometry.hashes import MAX_HASH_DISTANCE, near_hashes
from ml.copies.geometry.partners import partners_of
from ml.copies.geometry.tentative import tentative_matches
from ml.copies.geometry.verification import Found, verified

# Between 41 frames of 13 unrelated real videos under 17 edits, five places agreed by chance in 6 of
# some 26,000 pairs of frames and six in 2; the weight of those is below 0.02.
MIN_INLIERS = 5


def match_frames(
    query: Pictures, reference: Pictures, *, mirrored: bool = False, min_inliers: int = MIN_INLIERS
) -> FrameMatches:
    """Pairs of frames that show the same picture or a part of it, sorted by query frame.

    Args:
        mirrored: show the query left for right first. The transform then maps mirrored places.
        min_inliers: places that must agree, in both pictures.

    Videos of more than 4,096 pairs of frames are compared by the first 80 features of each frame
    first, and a query frame meets in full only the 32 reference frames that these speak for most.
    Of more than 400,000 pairs, only every n-th frame of the longer video is compared.
    """
    if mirrored:
        query = mirrored_pictures(query)
    if not query.frame_count or not reference.frame_count:
        return _nothing()
    partners = partners_of(query, reference)
    tentative = tentative_matches(query, reference, partners)
    found = verified(query, reference, tentative, min_inliers)
    return _with_hash_matches(query, reference, found, mirrored)


def _nothing() -> FrameMatches:
    return FrameMatches(
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros((0, 2, 3), np.float32),
        np.zeros(0, np.bool_),
    )


def _with_hash_matches(
    query: Pictures, reference: Pictures, found: Found, mirrored: bool
) -> FrameMatches:
    """What features or hashes find; where both do, the features' transform, the surer weight."""
    pair, distance = near_hashes(query, reference)
    weight = (1 - distance / (2 * MAX_HASH_DISTANCE)).astype(np.float32)
    _, mine, theirs = np.intersect1d(found.pair, pair, assume_unique=True, return_indices=True)
    found_weight = found.weight.copy()
    found_weight[mine] = np.maximum(found_weight[mine], weight[theirs])
    new = np.delete(np.arange(len(pair)), theirs)
    identity = np.broadcast_to(np.eye(2, 3, dtype=np.float32), (len(new), 2, 3))
    pairs = np.concatenate([found.pair, pair[new]])
    order = np.argsort(pairs, kind="stable")
    return FrameMatches(
        (pairs[order] // reference.frame_count).astype(np.int32),
        (pairs[order] % reference.frame_count).astype(np.int32),
        np.concatenate([found.inliers, np.zeros(len(new), np.int32)])[order],
        np.concatenate([found_weight, weight[new]]).astype(np.float32)[order],
        np.concatenate([found.transform, identity])[order],
        np.full(len(pairs), mirrored),
    )
