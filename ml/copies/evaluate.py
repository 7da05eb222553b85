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
from typing import Any

from ml.schemas import VERDICTS

DUPLICATE, PARTIAL, OTHER_AUDIO, OTHER_VIDEO = VERDICTS
COPY_VERDICTS = frozenset({DUPLICATE, PARTIAL})
VISUAL_VERDICTS = frozenset({DUPLICATE, PARTIAL, OTHER_AUDIO})
TRUTH_COLUMNS = (
    "copy_id", "original_id", "kind", "copy_start_s", "copy_end_s", "original_start_s",
    "original_end_s", "expected_verdict",
)  # fmt: skip
SIBLING = "sibling"
NOT_FOUND = "not found"
_SIBLING_OVERLAP_S = 0.5
Pair = tuple[str, str]
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class KnownPair:
    """A pair of the truth, with its stretches in both videos' seconds."""

    copy_id: str
    original_id: str
    kind: str
    verdict: str
    copy_spans: tuple[tuple[float, float], ...]
    original_spans: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FoundPair:
    """A pair of the table, with its segments in both videos' seconds."""

    copy_id: str
    original_id: str
    verdict: str
    score: float
    copy_spans: tuple[tuple[float, float], ...]
    original_spans: tuple[tuple[float, float], ...]


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


def known_pairs(rows: Iterable[Mapping[str, str]]) -> list[KnownPair]:
    """Pairs from the rows of a truth file (`TRUTH_COLUMNS`), stretches of a pair put together.

    Raises ValueError for a column that is missing, a time that is no number, or a verdict that is
    unknown, naming the row.
    """
    gathered: dict[Pair, list[Mapping[str, str]]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        _check_row(row, number)
        gathered[row["copy_id"], row["original_id"]].append(row)
    return [_known(pair, own) for pair, own in gathered.items()]


def _check_row(row: Mapping[str, str], number: int) -> None:
    lacking = [name for name in TRUTH_COLUMNS if row.get(name) in (None, "")]
    if lacking:
        raise ValueError(f"line {number}: no value in column {lacking[0]}")
    if row["expected_verdict"] not in VERDICTS:
        raise ValueError(
            f"line {number}: expected_verdict is {row['expected_verdict']!r}, "
            f"not one of {', '.join(VERDICTS)}"
        )
    for name in TRUTH_COLUMNS[3:7]:
        try:
            float(row[name])
        except ValueError:
            raise ValueError(f"line {number}: {name} is {row[name]!r}, not seconds") from None


def _known(pair: Pair, rows: Sequence[Mapping[str, str]]) -> KnownPair:
    spans = [
        tuple((float(row[f"{side}_start_s"]), float(row[f"{side}_end_s"])) for row in rows)
        for side in ("copy", "original")
    ]
    first = rows[0]
    return KnownPair(*pair, first["kind"], first["expected_verdict"], spans[0], spans[1])


def found_pairs(rows: Iterable[Mapping[str, Any]]) -> list[FoundPair]:
    """Pairs from rows with the columns of ``duplicate_pairs``."""
    return [
        FoundPair(
            str(row["copy_id"]),
            str(row["original_id"]),
            str(row["verdict"]),
            float(row["score"]),
            tuple(zip(row["copy_starts_s"], row["copy_ends_s"], strict=True)),
            tuple(zip(row["original_starts_s"], row["original_ends_s"], strict=True)),
        )
        for row in rows
    ]


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


def as_dict(result: Evaluation) -> dict[str, Any]:
    """The figures as plain numbers, lists and dicts, for JSON."""
    counts = {
        name: _plain(getattr(result, name))
        for name in ("visual", "final", "identity", "copy_seconds", "original_seconds")
    }
    verdicts = [
        {"expected": expected, "found": found, "pairs": pairs}
        for (expected, found), pairs in sorted(result.verdicts.items())
    ]
    kinds = [dict(vars(kind)) for kind in result.kinds]
    others = ("siblings", "sibling_conflicts", "ignored", "backwards")
    hardest = result.hardest
    return {
        **counts,
        "kinds": kinds,
        "hardest_kind": None if hardest is None else hardest.kind,
        "verdicts": verdicts,
        "wrong_pairs": [[one.copy_id, one.original_id, one.verdict] for one in result.wrong_pairs],
        "missed_pairs": [[one.copy_id, one.original_id, one.kind] for one in result.missed_pairs],
        **{name: getattr(result, name) for name in others},
    }


def _plain(counts: Counts) -> dict[str, float]:
    shares = {name: round(getattr(counts, name), 4) for name in ("precision", "recall", "f1")}
    return {**{name: round(value, 3) for name, value in vars(counts).items()}, **shares}


def as_text(result: Evaluation, with_pairs: bool = True) -> str:
    """The figures as a table for people; ``with_pairs`` names the pairs that are wrong."""
    lines = [f"{'':<26}precision  recall     F1    right  wrong  missed"]
    names = (
        ("visual", "pairs that share pictures"),
        ("final", "copies"),
        ("identity", "copies, original named"),
        ("copy_seconds", "seconds of the copy"),
        ("original_seconds", "seconds of the original"),
    )
    lines += [f"{title:<26}{_figures(getattr(result, name))}" for name, title in names]
    lines += ["", f"{'kind':<34}pairs  pictures   copies   wrong: pictures  copies"]
    lines += [_kind_line(kind) for kind in result.kinds]
    if result.hardest is not None:
        share = f"{result.hardest.found_copies} of {result.hardest.copies}"
        lines += [f"smallest share found: {result.hardest.kind}, {share}"]
    lines += ["", f"{'expected':<32}{'found':<32}pairs"]
    lines += [f"{a:<32}{b:<32}{n:>5}" for (a, b), n in sorted(result.verdicts.items())]
    lines += [
        "",
        f"not counted: {result.siblings} pairs of copies of one original "
        f"({result.sibling_conflicts} in conflict), {result.ignored} ignored pairs; "
        f"found backwards: {result.backwards}",
    ]
    if with_pairs:
        lines += [
            f"wrong   {o.copy_id} -> {o.original_id}  {o.verdict}" for o in result.wrong_pairs
        ]
        lines += [f"missed  {o.copy_id} -> {o.original_id}  {o.kind}" for o in result.missed_pairs]
    return "\n".join(lines)


def _figures(counts: Counts) -> str:
    shares = f"{counts.precision:>9.3f}{counts.recall:>8.3f}{counts.f1:>7.3f}"
    return f"{shares}{counts.right:>9.0f}{counts.wrong:>7.0f}{counts.missed:>8.0f}"


def _kind_line(kind: KindCounts) -> str:
    pictured = f"{kind.found_pictured}/{kind.pictured}" if kind.pictured else "-"
    copies = f"{kind.found_copies}/{kind.copies}" if kind.copies else "-"
    wrong = f"{kind.wrong_pictured:>17}{kind.wrong_copies:>8}"
    return f"{kind.kind:<34}{kind.pairs:>5}{pictured:>10}{copies:>9}{wrong}"
