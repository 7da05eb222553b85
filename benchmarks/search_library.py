"""A made-up library with what is looked for planted in it, for `benchmarks.search`.

A video has a subject of a theme, and speaks, shows and writes of it in words of its own, with turns
that any video has; most lack some channel, a quarter is Russian, a tenth has no subject. Into some
a sentence, a caption, a title, a picture or a name is planted that a query asks for. What resembles
it is planted elsewhere: the same words with another subject, the same name beside one. A twentieth
of the videos are copies of others.

Pictures have no model here. A *synthetic stand-in* has vectors that a theme, a subject and a scene
share, with noise, and queries beside them, as far as picture and text lie from each other in CLIP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.search_written import Subject, subjects
from benchmarks.topics_library import TITLES, TURNS

KINDS = (
    "phrase said", "word on screen", "title words", "paraphrase", "picture", "other word forms",
    "rare name", "mixed",
)  # fmt: skip
# Grades: what was planted, the same subject, the same theme.
EXACT, SUBJECT, THEME = 3, 2, 1
STRAY_SHARE, RUSSIAN_SHARE, COPY_SHARE = 0.1, 0.25, 0.05
HAS = {"title": 0.95, "description": 0.5, "asr": 0.65, "ocr": 0.3, "frames": 0.8}
# A passage of speech or a caption comes so often, with a pause between; and so does a frame.
PASSAGE_S, LENGTH_S, FRAME_S = 12.0, 8.0, 8.0
# Of phrases of another subject of the theme, and of another theme.
OFF_SUBJECT, OFF_THEME = 0.12, 0.08
# In so many videos of a subject something is planted, and their titles are changed once.
_FEWEST_HOSTS = 5
# Everybody says so much that is of no theme.
CHATTER = 0.45

PICTURE_DIMENSIONS = 256
# What pictures share, and what a query shares with them. A scene's cosine is some 6 standard
# deviations above that of any picture, a subject's 4, a theme's 2: what is told of CLIP.
_THEME, _SUBJECT, _SCENE = 0.35, 0.5, 0.8
_PICTURE_NOISE, _QUERY_NOISE, _COMMON = 1.0, 1.2, 1.5
# So much of a theme and subject is seen in a question that describes no picture.
_UNSEEN = 0.5

WHO = "my uncle;the old captain;our neighbour;her sister;a tired nurse;the new coach;his teacher"
DID = "laughed at;paid for;forgot about;dreamed of;wrote about;argued over;cried over;joked about"
WHEN = "before breakfast;in the rain;on the train;at the wedding;during lunch;behind the garage"
ODD = {
    "en": "without money;in a tiny flat;with grandfather;for left handers;against the clock;"
    "on a boat;with one hand;in complete silence;for sceptics;after midnight",
    "ru": "без денег;в тесной квартире;с дедушкой;для левшей;на скорость;на лодке;одной рукой;"
    "в полной тишине;для скептиков;после полуночи",
}
BESIDE = {
    "en": "{} review;{} part two;new {} update;best of {};playing {};{}",
    "ru": "обзор {};{} часть вторая;новое обновление {};лучшее из {};играем в {};{}",
}
CAPTIONS = {
    "en": "promo code {};sponsored by {};step three {};sale ends today {};scan here {};chapter {}",
    "ru": "промокод {};спонсор {};шаг третий {};скидка сегодня {};сканируй {};глава {}",
}
SYLLABLES = {
    "en": "vel kor zan dri mox tul fer qua bri nax lom pyr sev gad hul wix",
    "ru": "вел кор зан дри мокс тул фер ква бри накс лом пир сев гад хул викс",
}


# From when to when.
Stretch = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """A passage of a video; start_s is 0 where there is no time."""

    channel: str
    start_s: float
    text: str


@dataclass
class Video:
    """What a video holds; subject is None where it has none."""

    video_id: str
    subject: Subject | None
    language: str
    pieces: list[Piece] = field(default_factory=list)
    # Second to what is in the picture beside the subject; "" for nothing.
    frames: dict[float, str] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class Query:
    """What is asked, and how well each video answers.

    Attributes:
        kind: one of KINDS.
        grades: of videos that answer at all, 1 to 3.
        moments: the stretches of what was planted, seconds; none for what has no time.
        concept: what of the question can be seen: (theme, subject, scene), empty where nothing.
    """

    text: str
    kind: str
    grades: Mapping[str, int]
    moments: Mapping[str, tuple[Stretch, ...]]
    concept: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True)
class SearchLibrary:
    """Videos, frames in their order, and queries, with the vectors of both."""

    name: str
    videos: Sequence[Video]
    queries: Sequence[Query]
    frames: Sequence[tuple[str, float]]
    frame_vectors: np.ndarray
    query_vectors: np.ndarray

    @property
    def group_of(self) -> dict[str, str]:
        return {video.video_id: video.group for video in self.videos if video.group}


def search_library(name: str, written: str, count: int, seed: int) -> SearchLibrary:
    """A library of so many videos; the same for the same arguments."""
    draw = np.random.default_rng(seed)
    writer = _Writer(draw, subjects(written))
    videos = [writer.video(f"v{number:05d}") for number in range(round(count * (1 - COPY_SHARE)))]
    planted = _Planter(draw, writer, videos).planted()
    videos += _copies(draw, videos, count - len(videos))
    queries = [_graded(query, videos, scope) for query, scope in planted]
    pictures = _Pictures(draw)
    frames = [(v.video_id, start_s) for v in videos for start_s in v.frames]
    frame_vectors = [
        pictures.frame(v.subject, scene) for v in videos for scene in v.frames.values()
    ]
    query_vectors = [pictures.query(query.concept) for query in queries]
    return SearchLibrary(
        name, videos, queries, frames, np.vstack(frame_vectors), np.vstack(query_vectors)
    )


class _Writer:
    """Writes what is not looked for."""

    def __init__(self, draw: np.random.Generator, every: Sequence[Subject]) -> None:
        self._draw, self.every = draw, every
        shares = np.arange(1, len(every) + 1) ** -0.4
        self._shares = draw.permutation(shares / shares.sum())

    def one(self, among: Sequence[str] | str) -> str:
        """One of a list, or of what stands between semicolons."""
        parts = among.split(";") if isinstance(among, str) else among
        return str(parts[int(self._draw.integers(len(parts)))])

    def name(self, language: str) -> str:
        """A name that nobody has heard of."""
        parts = SYLLABLES[language].split()
        return "".join(self._draw.choice(parts, int(self._draw.integers(2, 4)), replace=False))

    def video(self, video_id: str) -> Video:
        stray = self._draw.random() < STRAY_SHARE
        subject = None if stray else self.every[self._draw.choice(len(self.every), p=self._shares)]
        language = "ru" if self._draw.random() < RUSSIAN_SHARE else "en"
        made = Video(video_id, subject, language)
        has = [c for c in HAS if self._draw.random() < HAS[c]] or ["title"]
        for channel in has:
            self._write(made, channel)
        return made

    def _write(self, video: Video, channel: str) -> None:
        if channel == "title":
            template = self.one(TITLES[video.language].split("|"))
            if self._draw.random() < 0.3:
                template = "{} " + self.one(ODD[video.language])
            video.pieces.append(Piece("title", 0.0, self.filled(template, video)))
        elif channel == "frames":
            count = int(self._draw.integers(3, 7))
            video.frames = {n * FRAME_S: "" for n in range(count)}
        elif channel == "ocr":
            for n in range(int(self._draw.integers(1, 3))):
                text = self.filled(self.one(CAPTIONS[video.language]), video)
                video.pieces.append(Piece("ocr", n * PASSAGE_S, text))
        else:
            most = 2 if channel == "description" else 6
            for n in range(int(self._draw.integers(1, most))):
                start_s = n * PASSAGE_S if channel == "asr" else 0.0
                video.pieces.append(Piece(channel, start_s, self.speech(video)))

    def speech(self, video: Video) -> str:
        """Two turns, often of nothing in particular."""
        turns = TURNS[video.language].split("|")
        if self._draw.random() < CHATTER:
            turns = [turn for turn in turns if "{}" not in turn]
        return " ".join(self.filled(self.one(turns), video) for _ in range(2))

    def filled(self, template: str, video: Video) -> str:
        return template.format(*(self._words(video) for _ in range(template.count("{}"))))

    def _words(self, video: Video) -> str:
        """Words for the video's subject, now and then for another."""
        subject, chance = video.subject, self._draw.random()
        if subject is None or chance < OFF_THEME:
            subject = self.every[int(self._draw.integers(len(self.every)))]
        elif chance < OFF_THEME + OFF_SUBJECT:
            near = [other for other in self.every if other.theme == subject.theme]
            subject = near[int(self._draw.integers(len(near)))]
        russian = video.language == "ru"
        return self.one(subject.russian if russian else [subject.name, *subject.words])


# A query as it is planted, and what else answers it: a subject and its theme, or nothing.
_Planted = tuple[Query, Subject | None]


class _Planter:
    """Puts what is looked for into videos, and what resembles it into others."""

    def __init__(self, draw: np.random.Generator, writer: _Writer, videos: Sequence[Video]) -> None:
        self._draw, self._writer, self._videos = draw, writer, videos
        # A video has one title, so that only one thing is planted there.
        self._titled: set[str] = set()

    def planted(self) -> list[_Planted]:
        """Every query, with the videos that hold what it asks for."""
        made: list[_Planted] = []
        for subject in self._writer.every:
            made += [self._sentence("paraphrase", subject, subject.said, "en")]
            made += [self._sentence("other word forms", subject, subject.inflected, "en")]
            made += [self._sentence("other word forms", subject, subject.russian_inflected, "ru")]
            made += [self._phrase(subject), self._picture(subject)]
            made += [self._title(subject, language) for language in ("en", "en", "ru")]
            made += [self._caption(subject, language) for language in ("en", "en", "ru")]
            made += [self._name(subject, language) for language in ("en", "en", "ru")]
            made += [self._name_on_screen(subject), self._name_in_picture(subject)]
        return made

    def _hosts(self, subject: Subject | None, language: str, count: int) -> list[Video]:
        """So many videos of a subject, or any; one holds several planted things."""
        return self._shuffled(subject, language)[:count]

    def _shuffled(self, subject: Subject | None, language: str) -> list[Video]:
        among = [
            v
            for v in self._videos
            if v.language == language and (subject is None or v.subject is subject)
        ]
        if len(among) < _FEWEST_HOSTS:
            raise ValueError("too few videos to plant in: ask for more")
        return [among[i] for i in self._draw.permutation(len(among))]

    def _untitled(self, subject: Subject, language: str) -> Video:
        among = self._shuffled(subject, language)
        return next(video for video in among if video.video_id not in self._titled)

    def _say(self, video: Video, text: str, channel: str = "asr") -> Stretch:
        """Adds a passage in a place of its own."""
        timed = [p.start_s for p in video.pieces if p.channel == channel]
        start_s = max(timed, default=-PASSAGE_S) + PASSAGE_S
        turn = self._writer.speech(video) if channel == "asr" else ""
        video.pieces.append(Piece(channel, start_s, f"{text} {turn}".strip()))
        return start_s, start_s + LENGTH_S

    def _call(self, video: Video, title: str) -> None:
        video.pieces[:] = [piece for piece in video.pieces if piece.channel != "title"]
        video.pieces.append(Piece("title", 0.0, title))
        self._titled.add(video.video_id)

    def _show(self, video: Video, scene: str) -> Stretch:
        start_s = max(video.frames, default=-FRAME_S) + FRAME_S
        video.frames[start_s] = scene
        return start_s, start_s

    def _sentence(
        self, kind: str, subject: Subject, pair: tuple[str, str], language: str
    ) -> _Planted:
        """Two videos say it, and two of other subjects say every other word of it."""
        said, asked = pair
        moments = {v.video_id: (self._say(v, said),) for v in self._hosts(subject, language, 2)}
        for video in self._hosts(None, language, 2):
            if video.subject is not subject:
                self._say(video, " ".join(said.split()[::2]))
        return _query(asked, kind, moments, subject), subject

    def _phrase(self, subject: Subject) -> _Planted:
        who, did, when = (self._writer.one(part) for part in (WHO, DID, WHEN))
        what = self._writer.one([subject.name, *subject.words])
        text = f"{who} {did} the {what} {when}"
        host = self._hosts(subject, "en", 1)[0]
        moments = {host.video_id: (self._say(host, text),)}
        for video in self._hosts(None, "en", 3):
            other = self._writer.filled("{}", video)
            if other != what:
                self._say(video, f"{who} {did} the {other} {when}")
        return _query(text, "phrase said", moments, subject), subject

    def _picture(self, subject: Subject) -> _Planted:
        hosts = self._hosts(subject, "en", 1) + self._hosts(subject, "ru", 1)
        moments = {v.video_id: (self._show(v, subject.picture),) for v in hosts}
        for video in self._hosts(None, "en", 2):
            self._say(video, " ".join(subject.picture.split()[1::2]))
        made = _query(subject.picture, "picture", moments, subject)
        return replace(made, concept=_concept(subject, subject.picture)), subject

    def _title(self, subject: Subject, language: str) -> _Planted:
        what = subject.name if language == "en" else subject.russian[0]
        odd = self._writer.one(ODD[language])
        host = self._untitled(subject, language)
        self._call(host, f"{what} {odd}")
        return _query(f"{odd} {what}", "title words", {host.video_id: ()}, subject), subject

    def _caption(self, subject: Subject, language: str) -> _Planted:
        """A code on screen, among many captions of other codes."""
        code, template = self._writer.name(language), self._writer.one(CAPTIONS[language])
        host = self._hosts(subject, language, 1)[0]
        text = template.format(code)
        moments = {host.video_id: (self._say(host, text, "ocr"),)}
        for video in self._hosts(None, language, 4):
            self._say(video, template.format(self._writer.name(language)), "ocr")
        return _query(text, "word on screen", moments, None), None

    def _name(self, subject: Subject, language: str) -> _Planted:
        """A name in one to three videos, in channels as they come."""
        name = self._writer.name(language)
        moments: dict[str, tuple[Stretch, ...]] = {}
        for video in self._hosts(subject, language, int(self._draw.integers(1, 4))):
            channel = self._writer.one("title;asr;ocr")
            text = self._writer.one(BESIDE[language]).format(name)
            if channel == "title" and video.video_id not in self._titled:
                self._call(video, text)
                moments[video.video_id] = ()
            else:
                spoken = channel.replace("title", "asr")
                moments[video.video_id] = (self._say(video, text, spoken),)
        asked = self._writer.one(BESIDE[language]).format(name)
        return _query(asked, "rare name", moments, None), None

    def _name_on_screen(self, subject: Subject) -> _Planted:
        """The subject in the title, the name on screen; elsewhere the name alone."""
        name = self._writer.name("en")
        host, others = self._untitled(subject, "en"), self._hosts(None, "en", 2)
        self._call(host, subject.name)
        moments = {host.video_id: (self._say(host, name, "ocr"),)}
        for video in others:
            if video is not host:
                self._say(video, name, "ocr")
        return _query(f"{subject.name} {name}", "mixed", moments, subject), subject

    def _name_in_picture(self, subject: Subject) -> _Planted:
        """The name is said, the rest is seen; the name is said elsewhere, and the scene seen."""
        name = self._writer.name("en")
        host, *others = self._hosts(subject, "en", 2) + self._hosts(None, "en", 2)
        said = self._say(host, f"this is {name}")
        moments = {host.video_id: (said, self._show(host, subject.picture))}
        self._show(others[0], subject.picture)
        for video in others[1:]:
            if video is not host:
                self._say(video, f"this is {name}")
        made = _query(f"{name} {subject.picture}", "mixed", moments, subject)
        return replace(made, concept=_concept(subject, subject.picture)), subject


def _query(
    text: str, kind: str, moments: Mapping[str, tuple[Stretch, ...]], subject: Subject | None
) -> Query:
    concept = _concept(subject, "") if subject else ("", "", "")
    return Query(text, kind, dict.fromkeys(moments, EXACT), dict(moments), concept)


def _concept(subject: Subject, scene: str) -> tuple[str, str, str]:
    return subject.theme, subject.name, scene


def _copies(draw: np.random.Generator, videos: Sequence[Video], count: int) -> list[Video]:
    """The same texts and pictures, half of them under a title cut short."""
    made = []
    for number, at in enumerate(draw.choice(len(videos), count, replace=False)):
        source = videos[at]
        source.group = source.video_id
        is_cut = draw.random() < 0.5
        pieces = [
            replace(p, text=p.text.rsplit(" ", 1)[0]) if is_cut and p.channel == "title" else p
            for p in source.pieces
        ]
        copy = replace(source, video_id=f"w{number:05d}", pieces=pieces, frames=dict(source.frames))
        made.append(copy)
    return made


def _graded(query: Query, videos: Sequence[Video], scope: Subject | None) -> Query:
    """With the grades of what else answers, copies among it."""
    grades, moments = dict(query.grades), dict(query.moments)
    for video in videos:
        if video.group in query.moments:
            grades[video.video_id], moments[video.video_id] = EXACT, moments[video.group]
        elif query.kind == "title words" and _has_title(video, query.text):
            grades[video.video_id], moments[video.video_id] = EXACT, ()
        elif video.video_id not in grades and scope and video.subject:
            if video.subject is scope:
                grades[video.video_id] = SUBJECT
            elif video.subject.theme == scope.theme:
                grades[video.video_id] = THEME
    return replace(query, grades=grades, moments=moments)


def _has_title(video: Video, asked: str) -> bool:
    """Whether a title holds every word, as one may that nobody planted."""
    titles = (piece.text.split() for piece in video.pieces if piece.channel == "title")
    return any(set(asked.split()) <= set(title) for title in titles)


class _Pictures:
    """Vectors of pictures and of what is asked of them: a stand-in, no model."""

    def __init__(self, draw: np.random.Generator) -> None:
        self._draw, self._known = draw, {"": np.zeros(PICTURE_DIMENSIONS)}
        self._common = _COMMON * self._unit()

    def frame(self, subject: Subject | None, scene: str) -> np.ndarray:
        concept = _concept(subject, scene) if subject else ("", "", "")
        return self._vector(concept, _PICTURE_NOISE)

    def query(self, concept: tuple[str, str, str]) -> np.ndarray:
        return self._vector(concept, _QUERY_NOISE, 1.0 if concept[2] else _UNSEEN)

    def _vector(
        self, concept: tuple[str, str, str], noise: float, clearness: float = 1.0
    ) -> np.ndarray:
        """Unit-length float32[256]."""
        made = self._common + noise * self._unit()
        for weight, what in zip((_THEME, _SUBJECT, _SCENE), concept, strict=True):
            made = made + clearness * weight * self._of(what)
        return (made / np.linalg.norm(made)).astype(np.float32)

    def _of(self, what: str) -> np.ndarray:
        if what not in self._known:
            self._known[what] = self._unit()
        return self._known[what]

    def _unit(self) -> np.ndarray:
        vector = self._draw.standard_normal(PICTURE_DIMENSIONS)
        return np.asarray(vector / np.linalg.norm(vector))
