"""What is known about the sample library, as rows for catalogue.csv and the files under truth/.

truth/pairs.csv      a row per stretch of a copy: copy_id, original_id, kind, copy_start_s,
                     copy_end_s, original_start_s, original_end_s, expected_verdict
truth/shared_pictures.csv   pairs of videos that show the same photograph without being copies;
                     whoever counts false duplicates leaves them out
truth/labels.csv     a row per video; lists are JSON. status is ok or broken; sound is the kind of
                     sound track; language is that of the title (speech is English throughout);
                     speech and captions hold text, start_s, end_s (captions also
                     language); faces hold person, start_s, end_s; shot_starts_s are cuts and
                     the 0 of the first shot
truth/people.csv     who appears: video_id, person, start_s, end_s; a video that shows nobody has
                     one row without a person
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations

from samples.captions import Caption
from samples.clips import Clip
from samples.copies import Copy, Part
from samples.photographs import FACES, PHOTOGRAPHS
from samples.shots import Shot
from samples.sound import Sentence

CATALOGUE_COLUMNS = (
    "video_id", "uri", "published_at", "title", "description", "tags", "licensed",
)  # fmt: skip
PAIR_COLUMNS = (
    "copy_id", "original_id", "kind", "copy_start_s", "copy_end_s", "original_start_s",
    "original_end_s", "expected_verdict",
)  # fmt: skip
LABEL_COLUMNS = (
    "video_id", "status", "theme", "language", "copy_of", "sound", "spoken_text", "speech",
    "captions", "faces", "shot_starts_s", "pictures", "duration_s", "width", "height", "fps",
)  # fmt: skip

PERSON_COLUMNS = ("video_id", "person", "start_s", "end_s")


@dataclass(frozen=True)
class Facts:
    """What one video holds, with times in its own seconds."""

    theme: str
    language: str
    sound: str
    seconds: float
    size: tuple[int, int]
    fps: int
    speech: tuple[Sentence, ...] = ()
    captions: tuple[Caption, ...] = ()
    faces: tuple[tuple[str, float, float], ...] = ()
    shot_starts_s: tuple[float, ...] = ()
    pictures: tuple[str, ...] = ()
    copy_of: tuple[str, ...] = field(default=())


def clip_facts(clip: Clip, speech: Sequence[Sentence]) -> Facts:
    """The facts of an original clip; ``speech`` is what `samples.sound` put into it."""
    starts = [sum(shot.seconds for shot in clip.shots[:n]) for n in range(len(clip.shots))]
    faces = tuple(
        (person, start, start + shot.seconds)
        for start, shot in zip(starts, clip.shots, strict=True)
        for person in _people(shot)
    )
    pictures = tuple(dict.fromkeys(shot.picture for shot in clip.shots))
    return Facts(
        clip.theme, clip.language, clip.sound, clip.seconds, clip.size, clip.fps,
        tuple(speech), clip.captions, faces, tuple(starts), pictures,
    )  # fmt: skip


def _people(shot: Shot) -> list[str]:
    photographed = [FACES[shot.picture]] if shot.picture in FACES else []
    return [*photographed, *(guest.person for guest in shot.guests)]


def copy_facts(copy: Copy, originals: dict[str, Facts], new_speech: Sequence[Sentence]) -> Facts:
    """The facts of a copy, carried over from its originals; cut sentences are left out."""
    speech, captions = list(new_speech), [copy.caption] if copy.caption else []
    faces: list[tuple[str, float, float]] = []
    shots: list[float] = []
    pictures: list[str] = []
    for start, part in _placed(copy.parts):
        shots.append(start)
        if not isinstance(part, Part):
            pictures.append(part.picture)
            continue
        facts = originals[part.original_id]
        shots += [
            start + (cut - part.start_s) / part.speed
            for cut in facts.shot_starts_s
            if part.start_s < cut < part.end_s
        ]
        pictures += facts.pictures
        faces += [
            (who, *_moved(start, part, a, b))
            for who, a, b in facts.faces
            if a < part.end_s and b > part.start_s
        ]
        if copy.keeps_captions:
            captions += _moved_captions(start, part, facts.captions)
    if copy.sound == "kept":
        source = _placed([copy.sound_from] if copy.sound_from else copy.parts)
        speech += [
            Sentence(said.text, *_moved(start, part, said.start_s, said.end_s))
            for start, part in source
            if isinstance(part, Part)
            for said in originals[part.original_id].speech
            if part.start_s <= said.start_s and said.end_s <= part.end_s
        ]
    names = tuple(dict.fromkeys(part.original_id for part in copy.original_parts))
    first = originals[names[0]]
    theme = first.theme if len(names) == 1 and copy.sound_from is None else "other"
    return Facts(
        theme, first.language, _copy_sound(copy, originals), copy.seconds, copy.size, copy.fps,
        tuple(speech), tuple(captions), tuple(faces), tuple(sorted(set(shots))),
        tuple(dict.fromkeys(pictures)), names,
    )  # fmt: skip


def _copy_sound(copy: Copy, originals: dict[str, Facts]) -> str:
    if copy.sound != "kept":
        return "none" if copy.sound == "none" else "speech"
    return originals[copy.original_parts[0].original_id].sound


def _placed(parts: Iterable[Part | Shot]) -> list[tuple[float, Part | Shot]]:
    """Each part with the second at which it starts."""
    placed: list[tuple[float, Part | Shot]] = []
    start = 0.0
    for part in parts:
        placed.append((start, part))
        start += part.seconds
    return placed


def _moved(start: float, part: Part, from_s: float, to_s: float) -> tuple[float, float]:
    """A stretch of the original in the copy's seconds, cut to the part."""
    inside = max(from_s, part.start_s), min(to_s, part.end_s)
    moved = [start + (second - part.start_s) / part.speed for second in inside]
    return moved[0], moved[1]


def _moved_captions(start: float, part: Part, captions: Iterable[Caption]) -> list[Caption]:
    return [
        Caption(line.text, *_moved(start, part, line.start_s, line.end_s), line.language)
        for line in captions
        if line.start_s < part.end_s and line.end_s > part.start_s
    ]


def pair_rows(copies: Sequence[Copy]) -> list[dict[str, object]]:
    """Rows of pairs.csv: every stretch against its original, and copies of one original."""
    rows = []
    by_id = {copy.video_id: copy for copy in copies}
    for copy in copies:
        for start, part in _placed([copy.sound_from] if copy.sound_from else copy.parts):
            if isinstance(part, Part):
                end = start + part.seconds
                spans = (start, end, part.start_s, part.end_s)
                rows.append(_pair(copy, part.original_id, copy.kind, spans))
        if copy.sibling_id in by_id:
            sibling = by_id[copy.sibling_id]
            spans = (0.0, copy.seconds, 0.0, sibling.seconds)
            rows.append(_pair(copy, copy.sibling_id, "sibling", spans))
    return rows


def _pair(
    copy: Copy, original_id: str, kind: str, spans: tuple[float, float, float, float]
) -> dict[str, object]:
    times = [round(float(second), 3) for second in spans]
    values = (copy.video_id, original_id, kind, *times, copy.verdict)
    return dict(zip(PAIR_COLUMNS, values, strict=True))


def label_row(video_id: str, facts: Facts) -> dict[str, object]:
    """The row of labels.csv for a good video."""
    speech = [_rounded(asdict(said)) for said in facts.speech]
    captions = [_rounded(asdict(line)) for line in facts.captions]
    faces = [_rounded({"person": a, "start_s": b, "end_s": c}) for a, b, c in facts.faces]
    for line in captions:
        line.pop("place")
    values = (
        video_id, "ok", facts.theme, facts.language, " ".join(facts.copy_of), facts.sound,
        " ".join(said.text for said in facts.speech), _json(speech), _json(captions), _json(faces),
        _json([round(float(start), 3) for start in facts.shot_starts_s]),
        _json(list(facts.pictures)),
        round(float(facts.seconds), 3), *facts.size, facts.fps,
    )  # fmt: skip
    return dict(zip(LABEL_COLUMNS, values, strict=True))


def person_rows(facts: Mapping[str, Facts]) -> list[dict[str, object]]:
    """Rows of people.csv."""
    return [
        _rounded(dict(zip(PERSON_COLUMNS, (video_id, *row), strict=True)))
        for video_id, known in facts.items()
        for row in known.faces or [("", "", "")]
    ]


def broken_row(video_id: str) -> dict[str, object]:
    """The row of labels.csv for a file that no reader can open."""
    empty = dict.fromkeys(LABEL_COLUMNS, "")
    lists = dict.fromkeys(("speech", "captions", "faces", "shot_starts_s", "pictures"), "[]")
    return {**empty, **lists, "video_id": video_id, "status": "broken", "theme": "other"}


def shared_picture_rows(
    facts: dict[str, Facts], pairs: Sequence[dict[str, object]]
) -> list[dict[str, object]]:
    """Pairs of videos with one photograph in common that pairs.csv does not list."""
    known = {frozenset((str(row["copy_id"]), str(row["original_id"]))) for row in pairs}
    rows: list[dict[str, object]] = []
    for one, other in combinations(facts, 2):
        shared = sorted(set(facts[one].pictures) & set(facts[other].pictures) & set(PHOTOGRAPHS))
        if shared and frozenset((one, other)) not in known:
            rows.append({"video_a": one, "video_b": other, "picture": " ".join(shared)})
    return rows


def _rounded(values: dict[str, object]) -> dict[str, object]:
    return {k: round(float(v), 3) if isinstance(v, int | float) else v for k, v in values.items()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
