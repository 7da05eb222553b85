"""How well copies were found: pairs in the table against pairs that are known.

What counts:

- A pair is a copy and one original, in this direction; a pair found backwards is a wrong pair.
- ``visual``: pairs that share pictures, whatever is heard: every verdict but
  ``hard_other_video_same_audio``, in the truth and in what was found.
- ``final``: pairs that are copies: ``duplicate`` and ``partial`` alone, in both.
- ``identity``: videos instead of pairs. A video is called a copy by its best ``duplicate`` or
  ``partial`` pair, and that names its original. A wrong name is a false alarm and a miss at once.
- Segments are compared in seconds, on either video's time axis, over the pairs that share pictures
  in the truth and were found to. Missed pairs are the recall's matter, not the segments'.
- Siblings are two copies of one original. The table holds such pairs, and rightly, but which of
  them exist depends on what else was copied; so they are neither right nor wrong where both show
  some of the same seconds of the original, at least 0.5 of them. Two that show different seconds
  share nothing: found, they are wrong. A sibling pair is in ``conflict`` when one of the two was
  not itself found to be a copy of their original.
- Ignored pairs (a photograph in common, foreign footage in common) are left out in both directions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ml.copies.pair_rows import FoundPair, KnownPair, Pair, Spans
from ml.schemas import VERDICTS

DUPLICATE, PARTIAL, OTHER_AUDIO, OTHER_VIDEO = VERDICTS
COPY_VERDICTS = frozenset({DUPLICATE, PARTIAL})
VISUAL_VERDICTS = frozenset({DUPLICATE, PARTIAL, OTHER_AUDIO})
SIBLING = "sibling"
NOT_FOUND = "not found"
_SIBLING_OVERLAP_S = 0.5


@dataclass(frozen=True)
class Counts:
    """Right, wrong and missed; of pairs, of videos, or of seconds.

    Precision is 1 where nothing was claimed, recall is 1 where there was nothing to find.
    """

    right: float
    wrong: float
    missed: float

    @property
    def precision(self) -> float:
        claimed = self.right + self.wrong
        return self.right / claimed if claimed else 1.0

    @property
    def recall(self) -> float:
        known = self.right + self.missed
        return self.right / known if known else 1.0

    @property
    def f1(self) -> float:
        everything = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / everything if everything else 1.0


@dataclass(frozen=True)
class KindCounts:
    """What happened to one kind of copy, or of video that is none.

    ``pairs`` of the truth, how many share pictures and were found to, how many are copies and were
    found to be; then pairs found of videos of this kind that are no such pairs. ``copies`` of
    ``pairs`` are duplicate or partial, ``pictured`` share pictures.
    """

    kind: str
    pairs: int
    pictured: int
    found_pictured: int
    copies: int
    found_copies: int
    wrong_pictured: int
    wrong_copies: int


@dataclass(frozen=True)
class Evaluation:
    """All figures; see the module's text for what they mean."""

    visual: Counts
    final: Counts
    identity: Counts
    copy_seconds: Counts
    original_seconds: Counts
    kinds: tuple[KindCounts, ...]
    verdicts: Mapping[Pair, int]  # (expected, found) to pairs
    wrong_pairs: tuple[FoundPair, ...]
    missed_pairs: tuple[KnownPair, ...]
    siblings: int
    sibling_conflicts: int
    ignored: int
    backwards: int

    @property
    def hardest(self) -> KindCounts | None:
        """The kind of copy of which the smallest share was found; None without copies."""
        copied = [kind for kind in self.kinds if kind.copies]
        return min(copied, key=lambda kind: kind.found_copies / kind.copies, default=None)


def evaluate(
    truth: Sequence[KnownPair],
    found: Sequence[FoundPair],
    kinds: Mapping[str, str] | None = None,
    ignored: Collection[Pair] = frozenset(),
) -> Evaluation:
    """Compare ``found`` with ``truth``.

    ``kinds`` gives the kind of every video that was asked about, also of those that copy nothing;
    found pairs with a video that neither it nor the truth names are left out then. Without it every
    found pair counts, under the truth's kinds and ``other``. ``ignored`` pairs are left out
    whichever way round they stand. Pairs of the truth whose kind is ``sibling`` are siblings.
    """
    either_way = {frozenset(pair) for pair in ignored}
    if kinds is not None:
        named = set(kinds).union(*((one.copy_id, one.original_id) for one in truth))
        found = [one for one in found if {one.copy_id, one.original_id} <= named]
    siblings = _Siblings(truth)
    known = {
        (one.copy_id, one.original_id): one
        for one in truth
        if one.kind != SIBLING and frozenset((one.copy_id, one.original_id)) not in either_way
    }
    left_out = [one for one in found if frozenset((one.copy_id, one.original_id)) in either_way]
    rest = [one for one in found if one not in left_out]
    related = [
        one for one in rest if (one.copy_id, one.original_id) not in known and siblings.share(one)
    ]
    counted = [one for one in rest if one not in related]
    kind_of = {one.copy_id: one.kind for one in known.values()} | dict(kinds or {})
    return _evaluation(known, counted, kind_of, siblings, related, len(left_out))


class _Siblings:
    """Which videos copy the same original, and which seconds of it."""

    def __init__(self, truth: Sequence[KnownPair]) -> None:
        self._listed = {
            frozenset((one.copy_id, one.original_id)) for one in truth if one.kind == SIBLING
        }
        self._spans: dict[str, dict[str, Spans]] = defaultdict(dict)
        for one in truth:
            if one.kind != SIBLING:
                self._spans[one.copy_id][one.original_id] = one.original_spans

    def originals(self, pair: FoundPair) -> set[str]:
        """The originals that both copy."""
        return set(self._spans.get(pair.copy_id, ())) & set(self._spans.get(pair.original_id, ()))

    def share(self, pair: FoundPair) -> bool:
        """Whether both hold the same seconds of one original."""
        if frozenset((pair.copy_id, pair.original_id)) in self._listed:
            return True
        one, other = self._spans.get(pair.copy_id, {}), self._spans.get(pair.original_id, {})
        return any(
            seconds_in_common(one[name], other[name]) >= _SIBLING_OVERLAP_S
            for name in self.originals(pair)
        )

    def conflicts(self, pair: FoundPair, found: Collection[Pair]) -> bool:
        """Whether one of the two was not found to be a copy of their original."""
        return any(
            (video, original) not in found
            for original in self.originals(pair)
            for video in (pair.copy_id, pair.original_id)
        )


def _evaluation(
    known: Mapping[Pair, KnownPair],
    counted: Sequence[FoundPair],
    kind_of: Mapping[str, str],
    siblings: _Siblings,
    related: Sequence[FoundPair],
    left_out: int,
) -> Evaluation:
    by_pair = {(one.copy_id, one.original_id): one for one in counted}
    verdicts = Counter(
        (one.verdict, by_pair[pair].verdict if pair in by_pair else NOT_FOUND)
        for pair, one in known.items()
    )
    real = _pairs(known.values(), VISUAL_VERDICTS), _pairs(known.values(), COPY_VERDICTS)
    claimed = _pairs(counted, VISUAL_VERDICTS), _pairs(counted, COPY_VERDICTS)
    both = sorted(real[0] & claimed[0])
    return Evaluation(
        _counts(real[0], claimed[0]),
        _counts(real[1], claimed[1]),
        _identity(known, counted),
        _seconds([(known[pair].copy_spans, by_pair[pair].copy_spans) for pair in both]),
        _seconds([(known[pair].original_spans, by_pair[pair].original_spans) for pair in both]),
        _by_kind(known, counted, kind_of),
        dict(verdicts),
        tuple(by_pair[pair] for pair in sorted((claimed[0] - real[0]) | (claimed[1] - real[1]))),
        tuple(known[pair] for pair in sorted((real[0] - claimed[0]) | (real[1] - claimed[1]))),
        len(related),
        sum(siblings.conflicts(one, set(by_pair)) for one in related),
        left_out,
        sum((one.original_id, one.copy_id) in known for one in counted),
    )


def _pairs(pairs: Iterable[KnownPair | FoundPair], verdicts: Collection[str]) -> set[Pair]:
    return {(one.copy_id, one.original_id) for one in pairs if one.verdict in verdicts}


def _counts(real: set[Pair], claimed: set[Pair]) -> Counts:
    return Counts(len(real & claimed), len(claimed - real), len(real - claimed))


def _identity(known: Mapping[Pair, KnownPair], counted: Sequence[FoundPair]) -> Counts:
    copies = {copy for copy, _ in _pairs(known.values(), COPY_VERDICTS)}
    best: dict[str, FoundPair] = {}
    for one in counted:
        if one.verdict in COPY_VERDICTS:
            leader = best.get(one.copy_id)
            if leader is None or (-one.score, one.original_id) < (
                -leader.score,
                leader.original_id,
            ):
                best[one.copy_id] = one
    named = {(one.copy_id, one.original_id) for one in best.values()}
    right = sum(pair in known and known[pair].verdict in COPY_VERDICTS for pair in named)
    return Counts(right, len(named) - right, len(copies) - right)


def _by_kind(
    known: Mapping[Pair, KnownPair], counted: Sequence[FoundPair], kind_of: Mapping[str, str]
) -> tuple[KindCounts, ...]:
    figures: dict[str, Counter[str]] = {kind: Counter() for kind in kind_of.values()}
    found = {(one.copy_id, one.original_id): one.verdict for one in counted}
    for pair, one in known.items():
        own, verdict = figures[kind_of[pair[0]]], found.get(pair, NOT_FOUND)
        own["pairs"] += 1
        for name, verdicts in (("pictured", VISUAL_VERDICTS), ("copies", COPY_VERDICTS)):
            if one.verdict in verdicts:
                own[name] += 1
                own[f"found_{name}"] += verdict in verdicts
    for pair, verdict in found.items():
        own = figures.setdefault(kind_of.get(pair[0], "other"), Counter())
        real = known[pair].verdict if pair in known else NOT_FOUND
        for name, verdicts in (("pictured", VISUAL_VERDICTS), ("copies", COPY_VERDICTS)):
            own[f"wrong_{name}"] += verdict in verdicts and real not in verdicts
    names = list(KindCounts.__dataclass_fields__)[1:]
    return tuple(
        KindCounts(kind, *(own[name] for name in names)) for kind, own in sorted(figures.items())
    )


def _seconds(pairs: Iterable[tuple[Spans, Spans]]) -> Counts:
    right = wrong = missed = 0.0
    for real, claimed in pairs:
        common = seconds_in_common(real, claimed)
        right += common
        wrong += total_seconds(claimed) - common
        missed += total_seconds(real) - common
    return Counts(right, wrong, missed)


def merged(spans: Spans) -> list[tuple[float, float]]:
    """Intervals in order, those that touch or overlap made one; empty ones are dropped."""
    made: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if made and start <= made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return made


def total_seconds(spans: Spans) -> float:
    """Length of the union."""
    return sum(end - start for start, end in merged(spans))


def seconds_in_common(one: Spans, other: Spans) -> float:
    """Length of what two unions have in common."""
    return sum(max(0.0, min(b, d) - max(a, c)) for a, b in merged(one) for c, d in merged(other))
