"""Which queries the copy benchmark makes, from which seconds of what, before anything is encoded.

33 kinds of copies and 5 kinds of videos that are none (``KINDS``, ``NEGATIVES``). Every query is
drawn by a random generator of its own, so another ``per_kind`` leaves earlier queries as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.copies_sources import (
    OTHER_SEGMENTS,
    OTHER_TAKES,
    SPEAKER_SECONDS,
    SPLITS,
    VARIANTS,
    Foreign,
    Source,
    Variant,
    choose_foreign,
    rng_of,
)
from samples.clips import CLIPS

_Rng = np.random.Generator
_LONGEST_S, _WHOLE_S = 12.0, 14.0
DUPLICATE, PARTIAL = "duplicate", "partial"
OTHER_SOUND, OTHER_PICTURES = "hard_same_video_other_audio", "hard_other_video_same_audio"
# One edit of the picture, and nothing else.
_PLAIN = (
    "downscaled", "cropped_light", "cropped_heavy", "mirrored", "rotated_little", "rotated_90",
    "logo", "captions", "letterbox", "blurred_bars", "border", "brightness", "colour_filter",
    "noise", "blur", "filmed",
)  # fmt: skip
_OTHERS = (
    "recompressed", "faster", "slower", "other_fps", "trimmed", "foreign_intro", "foreign_outro",
    "inserted", "compilation", "small_in_foreign", "foreign_over", "duet", "muted",
    "audio_degraded", "audio_mixed", "combination",
)  # fmt: skip
NATURAL = "natural"
KINDS = (*_PLAIN, *_OTHERS, NATURAL)
NEGATIVES = ("other_speech", "same_sound", "other_segment", "same_speaker", "unrelated")
# The negatives that systems fail at get twice as many queries.
_TWICE = ("other_speech", "other_segment")
_NEEDS_SOUND = ("muted", "audio_degraded", "audio_mixed", "other_speech", "same_sound")
# What is left of a bare wall after these shows nothing.
_NEEDS_PICTURE = ("cropped_heavy", "cropped_light", "trimmed", "compilation", "inserted")
_GROUPS = {
    "place": ("mirrored", "cropped", "cropped_light", "rotated_little"),
    "frame": ("letterbox", "border", "blurred_bars", "logo", "captions"),
    "light": ("brightness", "colour_filter", "noise", "blur", "downscaled"),
    "time": ("faster", "slower", "trimmed"),
    "sound": ("muted", "audio_degraded", "audio_mixed"),
}
_LIGHT = ("unchanged", "unchanged", "cropped_light", "mirrored", "brightness", "downscaled", "logo")
_REPEAT_EVERY = 3


@dataclass(frozen=True)
class Part:
    """``seconds`` of the query: of a reference, of a raw clip, or of foreign footage."""

    start_s: float
    seconds: float
    reference_id: str = ""
    clip: str = ""
    foreign: Foreign | None = None
    speed: float = 1.0

    @property
    def end_s(self) -> float:
        """Where it ends in its own source."""
        return self.start_s + self.seconds * self.speed


@dataclass(frozen=True)
class Query:
    """One video to make. ``sound`` is kept, none, degraded, mixed, or the file that is heard.

    ``sound_part`` names the part whose sound is heard instead. ``layout`` puts ``beside`` into the
    same frame. ``fps`` 0 keeps the source's. ``verdict`` is empty where nothing is copied.
    """

    video_id: str
    kind: str
    split: str
    verdict: str
    parts: tuple[Part, ...]
    edits: tuple[str, ...] = ()
    sound: str = "kept"
    sound_part: Part | None = None
    layout: str = ""
    beside: Foreign | None = None
    fps: int = 0
    file_type: str = "mp4"
    keeps_pitch: bool = True
    natural: Variant | None = None

    @property
    def is_copy(self) -> bool:
        return self.verdict in (DUPLICATE, PARTIAL)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)


def plan(
    sources: Sequence[Source], media: Path | None, per_kind: int, seed: int, splits: Sequence[str]
) -> list[Query]:
    """All queries, kind by kind; ``media`` is the folder of real clips, None without one."""
    queries: list[Query] = []
    for kind in (*KINDS, *NEGATIVES):
        if kind == NATURAL:
            known = {source.video_id: source for source in sources}
            there = [variant for variant in VARIANTS if variant.original_id in known]
            queries += [_natural(variant, known[variant.original_id]) for variant in there]
            continue
        wanted = per_kind * (2 if kind in _TWICE else 1)
        decks = {split: _deck(kind, split, sources, seed) for split in SPLITS}
        for number in range(wanted):
            split = SPLITS[number % 2]
            rng = rng_of(seed, f"{kind} {number}")
            draw = _Draw(f"q-{kind}-{number:02}", kind, split, decks[split], media, rng)
            query = draw.query(number // 2)
            if query is not None:
                queries.append(query)
    return [query for query in queries if query.split in splits]


def _natural(variant: Variant, original: Source) -> Query:
    start = max(0.0, variant.offset_s)
    end = min(original.seconds, variant.offset_s + variant.seconds)
    foreign_s = variant.seconds - (end - start)
    part = Part(start, end - start, original.video_id)
    verdict = PARTIAL if foreign_s > 0.5 else DUPLICATE
    name = "q-natural-" + variant.file_name.split(".")[0]
    return Query(name, NATURAL, original.split, verdict, (part,), natural=variant)


def _deck(kind: str, split: str, sources: Sequence[Source], seed: int) -> list[Source]:
    """The order in which ``kind`` takes sources: two real ones, then a generated or a speaker."""
    rng = rng_of(seed, f"deck {kind} {split}")
    fit = [
        source
        for source in sources
        if source.split == split
        and (source.audible or kind not in _NEEDS_SOUND)
        and not (source.blank and kind in _NEEDS_PICTURE)
    ]
    first = [source for source in fit if not source.generated and not source.speaker]
    second = [source for source in fit if source.generated]
    third = [source for source in fit if source.speaker]
    for pile in (first, second, third):
        rng.shuffle(pile)
    order: list[Source] = []
    while first or second or third:
        pile = second if len(order) % 3 == 2 or not first else first
        if third and (not pile or (pile is second and rng.random() < 0.4)):
            pile = third
        if not pile:
            pile = first
        order.append(pile.pop())
    return order


class _Draw:
    """One query, drawn from a deck of sources."""

    def __init__(
        self, name: str, kind: str, split: str, deck: list[Source], media: Path | None, rng: _Rng
    ) -> None:
        self.name, self.kind, self.split, self.deck = name, kind, split, deck
        self.media, self.rng = media, rng

    def query(self, number: int) -> Query | None:
        """The ``number``-th of its kind and split; None where the media it needs are missing."""
        file_type = str(self.rng.choice(["mp4"] * 7 + ["mkv"] * 2 + ["webm"]))
        pitch = bool(self.rng.random() < 0.5)
        source = self.deck[number % len(self.deck)] if self.deck else None
        makers: dict[str, Callable[[int], Query | None]] = {
            "other_segment": self._other_segment,
            "same_speaker": self._same_speaker,
            "unrelated": self._unrelated,
        }
        if self.kind in makers:
            made = makers[self.kind](number)
        elif source is None:
            made = None
        else:
            made = self._copy(source)
        return None if made is None else replace(made, file_type=file_type, keeps_pitch=pitch)

    def _copy(self, source: Source) -> Query:
        if self.kind in _PLAIN:
            return self._made(DUPLICATE, self.piece(source), edits=(self.kind,))
        if self.kind == "combination":
            return self._combination(source)
        makers: dict[str, Callable[[Source], Query]] = {
            "recompressed": lambda s: self._made(DUPLICATE, self.piece(s)),
            "faster": lambda s: self._made(DUPLICATE, self.piece(s, self._speed("faster"))),
            "slower": lambda s: self._made(DUPLICATE, self.piece(s, self._speed("slower"))),
            "other_fps": self._other_fps,
            "trimmed": lambda s: self._made(DUPLICATE, self._trimmed(s)),
            "foreign_intro": lambda s: self._framed(s, True, False),
            "foreign_outro": lambda s: self._framed(s, False, True),
            "inserted": lambda s: self._framed(s, True, True),
            "compilation": self._compilation,
            "small_in_foreign": self._beside,
            "foreign_over": self._beside,
            "duet": self._beside,
            "muted": lambda s: self._made(DUPLICATE, self.piece(s), sound="none"),
            "audio_degraded": lambda s: self._made(DUPLICATE, self.piece(s), sound="degraded"),
            "audio_mixed": lambda s: self._made(DUPLICATE, self.piece(s), sound="mixed"),
            "other_speech": self._other_speech,
            "same_sound": self._same_sound,
        }
        return makers[self.kind](source)

    def _made(self, verdict: str, *parts: Part, **how: object) -> Query:
        return Query(self.name, self.kind, self.split, verdict, parts, **how)  # type: ignore[arg-type]

    def between(self, low: float, high: float) -> float:
        return round(float(self.rng.uniform(low, high)), 2)

    def piece(self, source: Source, speed: float = 1.0, longest_s: float = _LONGEST_S) -> Part:
        """All of a source of up to 14 s, else 8 to 12 seconds of it."""
        length = source.seconds
        if length > min(_WHOLE_S, longest_s * speed):
            length = min(length, self.between(0.66 * longest_s, longest_s) * speed)
        start = self.between(0, source.seconds - length)
        length = min(length, source.seconds - start)
        return Part(start, round(length / speed, 2), source.video_id, speed=speed)

    def _speed(self, kind: str) -> float:
        return self.between(1.25, 1.5) if kind == "faster" else self.between(0.67, 0.8)

    def _trimmed(self, source: Source) -> Part:
        """40 to 70 % of a source, 2 to 12 seconds."""
        share = self.between(0.4, 0.7)
        length = round(float(np.clip(share * source.seconds, min(2, source.seconds), 12)), 2)
        return Part(self.between(0, source.seconds - length), length, source.video_id)

    def _other_fps(self, source: Source) -> Query:
        fps = int(self.rng.choice([8, 12, 15, 20, 24, 48]))
        return self._made(DUPLICATE, self.piece(source), fps=fps)

    def foreign(self, seconds: float) -> Foreign:
        return choose_foreign(self.split, seconds, self.media, self.rng)

    def _framed(self, source: Source, before: bool, after: bool) -> Query:
        both = before and after
        middle = self.piece(source, longest_s=7 if both else 10)
        lengths = self.between(3, 6), self.between(3, 6)
        footage = self.foreign(sum(lengths) + 1)
        rest = replace(footage, start_s=footage.start_s + lengths[0])
        parts = [
            *([Part(0, lengths[0], foreign=footage)] if before else []),
            middle,
            *([Part(0, lengths[1], foreign=rest)] if after else []),
        ]
        return self._made(PARTIAL, *parts)

    def _compilation(self, source: Source) -> Query:
        """Three or four sources of different families."""
        wanted, chosen = int(self.rng.integers(3, 5)), {source.family: source}
        others = [one for one in self.deck if not one.speaker]
        for position in self.rng.permutation(len(others)):
            one = others[int(position)]
            if len(chosen) < wanted:
                chosen.setdefault(one.family, one)
        return self._made(PARTIAL, *(self.piece(one, longest_s=5) for one in chosen.values()))

    def _beside(self, source: Source) -> Query:
        part = self.piece(source)
        sound = "kept" if self.rng.random() < 0.6 else "mixed"
        foreign = self.foreign(part.seconds + 0.5)
        return self._made(DUPLICATE, part, layout=self.kind, beside=foreign, sound=sound)

    def _combination(self, source: Source) -> Query:
        groups = self.rng.choice(list(_GROUPS), 3, replace=False)
        names = [str(self.rng.choice(_GROUPS[group])) for group in groups]
        part = self.piece(source)
        edits, sound = [], "kept"
        for name in names:
            if name in ("faster", "slower"):
                part = self.piece(source, self._speed(name))
            elif name == "trimmed":
                part = self._trimmed(source)
            elif name in _GROUPS["sound"]:
                sound = {"muted": "none"}.get(name, name.removeprefix("audio_"))
            else:
                edits.append(name)
        edits.sort(key=lambda name: name in _GROUPS["frame"])  # bars and logos come last
        return self._made(DUPLICATE, part, edits=tuple(edits), sound=sound)

    def _other_speech(self, source: Source) -> Query:
        """The pictures, lightly edited; other words over them, for talking faces the same voice."""
        speed = self.between(0.8, 1.3) if self.rng.random() < 0.25 else 1.0
        edits = (str(self.rng.choice(_LIGHT)),)
        part = self.piece(source, speed)
        said = self._speech(source, part.seconds)
        if isinstance(said, Part):
            return self._made(OTHER_SOUND, part, edits=edits, sound_part=said)
        return self._made(OTHER_SOUND, part, edits=edits, sound=said)

    def _speech(self, source: Source, seconds: float) -> str | Part:
        """A recording with other words, or a generated clip's sound."""
        if self.media is None:
            spoken = [clip for clip in CLIPS if clip.sound == "speech"]
            known = [c for c in spoken if c.video_id != source.video_id]
            clip = known[int(self.rng.integers(len(known)))]
            return Part(0, min(seconds, clip.seconds), clip.video_id)
        if source.speaker:
            takes = [name for name, split in OTHER_TAKES if split == self.split]
            return Part(0, SPEAKER_SECONDS, clip=str(self.rng.choice(takes)))
        speech = sorted((self.media.parent / "speech").iterdir())
        long = [path for path in speech if path.suffix == ".flac"]
        pool = long if seconds > 5 and self.rng.random() < 0.5 else speech
        return pool[int(self.rng.integers(len(pool)))].name

    def _same_sound(self, source: Source) -> Query:
        heard = self.piece(source)
        footage = self.foreign(heard.seconds)
        part = Part(0, heard.seconds, foreign=footage)
        return self._made(OTHER_PICTURES, part, sound_part=heard)

    def _other_segment(self, number: int) -> Query | None:
        pool = [one for one in OTHER_SEGMENTS if one[3] == self.split]
        if self.media is None:
            return None
        file_name, start, end, _, _ = pool[number % len(pool)]
        seconds = self.between(7, min(12, end - start))
        begin = self.between(start, end - seconds)
        part = Part(begin, seconds, clip=file_name)
        return self._made("", part, edits=(str(self.rng.choice(_LIGHT)),))

    def _same_speaker(self, number: int) -> Query | None:
        if self.media is None:
            return None
        pool = [name for name, split in OTHER_TAKES if split == self.split]
        repeat = number // len(pool)
        edits = ("unchanged",) if repeat == 0 else (str(self.rng.choice(_LIGHT)),)
        return self._made("", Part(0, SPEAKER_SECONDS, clip=pool[number % len(pool)]), edits=edits)

    def _unrelated(self, number: int) -> Query:
        seconds = self.between(5, 10)
        edits = (str(self.rng.choice(_LIGHT)),)
        return self._made("", Part(0, seconds, foreign=self.foreign(seconds)), edits=edits)


def truth_rows(query: Query) -> Iterator[tuple[str, float, float, float, float, str]]:
    """Original id, the query's start and end, the original's start and end, and the verdict."""
    if query.natural is not None:
        part, offset_s = query.parts[0], query.natural.offset_s
        begin, end = part.start_s - offset_s, part.end_s - offset_s
        yield part.reference_id, begin, end, part.start_s, part.end_s, query.verdict
        return
    start = 0.0
    for part in query.parts:
        if part.reference_id:
            span = start, start + part.seconds, part.start_s, part.end_s
            yield part.reference_id, *span, query.verdict
        start += part.seconds
    heard = query.sound_part
    if heard is not None and heard.reference_id:
        span = 0.0, heard.seconds, heard.start_s, heard.end_s
        yield heard.reference_id, *span, OTHER_PICTURES


def shares_footage(one: Query, other: Query) -> bool:
    """Whether two queries show or play the same seconds of anything."""
    return any(
        a == c and min(b[1], d[1]) > max(b[0], d[0])
        for a, b in _footage(one)
        for c, d in _footage(other)
    )


def _footage(query: Query) -> Iterator[tuple[str, tuple[float, float]]]:
    for part in (*query.parts, *([query.sound_part] if query.sound_part else [])):
        if part.foreign is None:
            yield part.reference_id or part.clip, (part.start_s, part.end_s)
    for foreign in (query.beside, *(part.foreign for part in query.parts)):
        if foreign is not None:
            # A drawing or a photograph looks alike at all times.
            yield foreign.name, (0.0, 1e9)
    if query.sound not in ("kept", "none", "degraded", "mixed"):
        yield query.sound, (0.0, 1e9)
