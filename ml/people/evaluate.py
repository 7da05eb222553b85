"""How well people were told apart: pairs of appearances, against what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
ALONE = -1
# Faces are looked for about once a second, and one seen once has no length.
INSTANT_S = 0.5
# Two people side by side are in the picture at the same seconds.
ALIKE = 0.8


@dataclass(frozen=True)
class PairCounts:
    """Pairs put together and rightly so, pairs put together, and pairs that belong together."""

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """1 where nothing was put together."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """1 where nothing belongs together."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def __sub__(self, other: PairCounts) -> PairCounts:
        return PairCounts(
            self.right - other.right, self.found - other.found, self.true - other.true
        )


def pair_counts(
    labels: Sequence[int] | Ints, truth: Sequence[object] | npt.NDArray[Any]
) -> PairCounts:
    """Counts over all pairs of rows, without listing them: 100,000 rows take milliseconds.

    Args:
        labels: int[n]; `ALONE` puts a row together with no other.
        truth: n names.

    Raises:
        ValueError: arguments that differ in length.
    """
    if len(labels) != len(truth):
        raise ValueError(f"{len(labels)} labels for {len(truth)} names: each row needs both")
    found = _each_alone(np.asarray(labels, np.int64))
    true = np.unique(np.asarray(truth, str), return_inverse=True)[1]
    both = found * (int(true.max(initial=0)) + 1) + true
    return PairCounts(*(_pairs(x) for x in (both, found, true)))


@dataclass(frozen=True)
class Appearance:
    """Somebody in a video, as found or as known.

    Attributes:
        video_id: the video.
        who: a person's id, as text, or a name; empty for nobody in particular.
        starts_s, ends_s: when; empty if it is not known.
    """

    video_id: str
    who: str
    starts_s: Sequence[float] = ()
    ends_s: Sequence[float] = ()


@dataclass(frozen=True)
class Evaluation:
    """People against what is known of who appears where.

    Attributes:
        pairs: over appearances; one that was not found is alone, one of nobody known a stranger.
        appearances: known ones that were compared.
        not_found: of those, with nobody found in the video at that time.
        strangers: found where nobody is known to be.
        left_out: found where two known people fit equally well.
        named_right, named_wrong: found ones of known people that carry a name.
    """

    pairs: PairCounts
    appearances: int
    not_found: int
    strangers: int
    left_out: int
    named_right: int
    named_wrong: int


def evaluate(
    found: Sequence[Appearance], known: Sequence[Appearance], names: Mapping[str, str]
) -> Evaluation:
    """What was found, against the truth.

    A found appearance is the known one that it shares most time with. Videos of which nothing is
    known do not count; one that is known to show nobody is given with an empty name.

    Args:
        found: `who` is a person's id; empty for somebody seen once.
        known: `who` is the true name.
        names: the name that a person was given, by id.
    """
    by_video: dict[str, list[Appearance]] = {}
    for one in known:
        by_video.setdefault(one.video_id, []).append(one)
    fits = [(one, _who(one, by_video[one.video_id])) for one in found if one.video_id in by_video]
    is_known = {(one.video_id, one.who) for one in known if one.who}
    missing = is_known - {(one.video_id, name) for one, fitting in fits for name in fitting}
    sure = [(one.who, *fitting) for one, fitting in fits if len(fitting) < 2]
    strangers = [pair[0] for pair in sure if len(pair) == 1]
    told = [pair for pair in sure if len(pair) == 2]
    given = [(names[who], name) for who, name in told if names.get(who)]
    right = sum(name == true for name, true in given)
    pairs = pair_counts(
        _numbers([*(who for who, _ in told), *strangers, *("" for _ in missing)]),
        [*(name for _, name in told), *(f"\0{i}" for i in range(len(strangers)))]
        + [name for _, name in sorted(missing)],
    )
    left_out = len(fits) - len(sure)
    return Evaluation(
        pairs, len(is_known), len(missing), len(strangers), left_out, right, len(given) - right
    )


def _numbers(people: Sequence[str]) -> list[int]:
    """A number for each, `ALONE` for the empty one."""
    number_of = {who: number for number, who in enumerate(sorted(set(people) - {""}))}
    return [number_of.get(who, ALONE) for who in people]


def _who(found: Appearance, known: Sequence[Appearance]) -> list[str]:
    """Who of a video it is: one name, none, or several that fit equally well."""
    shared: dict[str, float] = {}
    for one in known:
        if one.who and (seconds := _shared_s(found, one)) > 0:
            shared[one.who] = shared.get(one.who, 0) + seconds
    most = max(shared.values(), default=0.0)
    return sorted(who for who, seconds in shared.items() if seconds >= ALIKE * most)


def _shared_s(found: Appearance, known: Appearance) -> float:
    """Seconds in common; all of it where the truth names no time."""
    spans = list(zip(found.starts_s, found.ends_s, strict=True))
    if not known.starts_s:
        return sum(b - a + INSTANT_S for a, b in spans) or INSTANT_S
    truth = list(zip(known.starts_s, known.ends_s, strict=True))
    both = [min(b, d) - max(a, c) + INSTANT_S for a, b in spans for c, d in truth]
    return sum(seconds for seconds in both if seconds > 0)


def _each_alone(labels: Ints) -> Ints:
    """Labels from 0 on, with each `ALONE` row as a label of its own."""
    found = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    alone = np.flatnonzero(labels == ALONE)
    found[alone] = int(found.max(initial=0)) + 1 + np.arange(len(alone))
    return found


def _pairs(numbers: Ints) -> int:
    size = np.unique(numbers, return_counts=True)[1].astype(object)
    return int(np.sum(size * (size - 1) // 2)) if len(size) else 0


def as_dict(result: Evaluation) -> dict[str, float]:
    """The figures by name."""
    pairs = result.pairs
    return {
        "precision": pairs.precision,
        "recall": pairs.recall,
        "f1": pairs.f1,
        **{f"pairs_{name}": value for name, value in asdict(pairs).items()},
        **{name: value for name, value in asdict(result).items() if name != "pairs"},
    }


def as_text(result: Evaluation) -> str:
    """The figures for people."""
    pairs = result.pairs
    return (
        f"pairs of appearances: precision {pairs.precision:.3f}, recall {pairs.recall:.3f} "
        f"({pairs.found} put together, {pairs.right} of them rightly; {pairs.true} belong together)"
        f"\nknown appearances: {result.appearances}, of which {result.not_found} not found; "
        f"{result.strangers} found that are not known, {result.left_out} left out because two "
        f"known people fit\nnames: {result.named_right} right, {result.named_wrong} wrong"
    )
