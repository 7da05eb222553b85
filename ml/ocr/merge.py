"""Lines over time: a caption that stays on screen becomes one line with a start and an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

Box = tuple[float, float, float, float]

# Readings of one caption differ in a letter or two; different captions share less.
SAME_TEXT = 0.8
# A reading this far off may still be the same line when the box is the same one.
SIMILAR_TEXT = 0.6
SAME_BOX = 0.5
# Rolling text keeps its text and moves; a ticker keeps its band and moves its text along.
SAME_BAND = 0.6
# Letters that two glimpses of a ticker must share to be joined.
TICKER_OVERLAP = 8
# Cut letters at the edges of a ticker are read as others: this many may differ.
TICKER_SLACK = 3
# A ticker that never ends is cut into lines of this length.
MAX_LETTERS = 2000
# A line may be missed in one frame (a flash, a hand in front), if that frame was short.
MAX_MISSED_FRAMES = 1
MAX_GAP_S = 3.0


@dataclass(frozen=True)
class Line:
    """A line of text in one frame; the box is (x0, y0, x1, y1) in shares of the picture."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class TimedLine:
    """A line of text and when it is on screen."""

    start_s: float
    end_s: float
    line: Line


@dataclass
class _Track:
    start_s: float
    end_s: float
    last: Line
    missed: int = 0
    readings: dict[str, list[Line]] = field(default_factory=dict)
    stitched: str = ""

    def add(self, line: Line, end_s: float) -> None:
        self.end_s, self.last, self.missed = end_s, line, 0
        # The sum of confidences decides; some dozens of readings per text are plenty for it.
        kept = self.readings.setdefault(line.text, [])
        if len(kept) < 50:
            kept.append(line)

    def result(self) -> TimedLine:
        """The reading with the most confidence in sum, where it was seen best."""
        votes = max(self.readings.values(), key=lambda lines: sum(x.confidence for x in lines))
        best = max(votes, key=lambda line: line.confidence)
        confidence = sum(x.confidence for x in votes) / len(votes)
        return TimedLine(
            self.start_s, self.end_s, Line(self.stitched or best.text, confidence, best.box)
        )


class LineMerger:
    """Joins the lines of one video's frames, given in order of time.

    Two lines are one when their texts are alike and their boxes overlap, or when the same text
    has moved (credits), or when a ticker's text has moved along. Digits count: ``2:1`` and ``2:2``
    in a line with letters are two lines. A line without letters (a clock) in one place stays one.
    """

    def __init__(self) -> None:
        self._open: list[_Track] = []
        self._closed: list[TimedLine] = []

    def add(self, start_s: float, duration_s: float, lines: Sequence[Line]) -> None:
        """Lines that were read in a frame that stands from ``start_s`` for ``duration_s``."""
        free = [t for t in self._open if start_s - t.end_s <= MAX_GAP_S]
        self._close([t for t in self._open if start_s - t.end_s > MAX_GAP_S])
        for line in lines:
            track = _best(free, line)
            if track is None:
                track = _Track(start_s, start_s, line)
                self._open.append(track)
            else:
                free.remove(track)
                track.stitched = _stitched(track, line)
            track.add(line, start_s + duration_s)
        for track in free:
            track.missed += 1
        self._close([t for t in free if t.missed > MAX_MISSED_FRAMES])

    def stay(self, start_s: float, duration_s: float) -> None:
        """Nothing changed: the lines of the frame before are still there."""
        for track in self._open:
            if not track.missed:
                track.end_s = start_s + duration_s

    def finish(self) -> list[TimedLine]:
        """All lines, by start and then from top to bottom and left to right."""
        self._close(self._open)
        return sorted(self._closed, key=lambda t: (t.start_s, t.line.box[1], t.line.box[0]))

    def _close(self, tracks: list[_Track]) -> None:
        gone = {id(t) for t in tracks}
        self._closed += [t.result() for t in tracks]
        self._open = [t for t in self._open if id(t) not in gone]


def _best(tracks: list[_Track], line: Line) -> _Track | None:
    scored = [(_likeness(track.last, line), i) for i, track in enumerate(tracks)]
    score, i = max(scored, default=(0.0, 0))
    return tracks[i] if score > 0 else None


def _likeness(before: Line, after: Line) -> float:
    """0 when two lines are different ones, else how alike they are."""
    same_place = overlap(before.box, after.box)
    if not _letters(before.text) and not _letters(after.text):
        return 1 + same_place if same_place >= SAME_BOX else 0.0
    if _digits(before.text) != _digits(after.text):
        return 0.0 if ticker_join(before, after) is None else 0.5
    alike = SequenceMatcher(None, before.text, after.text, autojunk=False).ratio()
    if alike >= SAME_TEXT or (alike >= SIMILAR_TEXT and same_place >= SAME_BOX):
        return 1 + alike + same_place
    return 0.0 if ticker_join(before, after) is None else 0.5


def _stitched(track: _Track, line: Line) -> str:
    """What a ticker has shown so far; empty for text that stands."""
    before = track.stitched or track.last.text
    joined = ticker_join(Line(before, 0, track.last.box), line)
    return track.stitched if joined is None else joined


def ticker_join(before: Line, after: Line) -> str | None:
    """The two texts joined where one's end is the other's beginning; None if that is not so."""
    if _band_overlap(before.box, after.box) < SAME_BAND or len(before.text) > MAX_LETTERS:
        return None
    old, new = before.text, after.text
    match = SequenceMatcher(None, old, new, autojunk=False)
    i, j, size = match.find_longest_match()
    at_seam = len(old) - i - size <= TICKER_SLACK and j <= TICKER_SLACK
    # Two readings of standing text share their ends too, but neither moved nor grew.
    moved = i - j > TICKER_SLACK or len(new) - j - size > TICKER_SLACK
    if size < TICKER_OVERLAP or not at_seam or not moved:
        return None
    return old[:i] + new[j:]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(a) + _area(b) - both)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _band_overlap(a: Box, b: Box) -> float:
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, height) / max(a[3] - a[1], b[3] - b[1], 1e-6)


def _letters(text: str) -> bool:
    return any(c.isalpha() for c in text)


def _digits(text: str) -> str:
    """The digits of words without letters: ``12`` is a number, ``He1lo`` a misread word."""
    return "".join(c for word in text.split() if not _letters(word) for c in word if c.isdigit())
