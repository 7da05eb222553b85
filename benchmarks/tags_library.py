"""Made-up catalogues of Russian videos with tags of the default taxonomy, for `benchmarks.tags`.

Like real ones they have series of episodes with near-same titles, publishers whose boilerplate
stands under every video, one tag that a third of the videos have, a long tail of tags with a video
or two, and labels that differ from what the text says: filed by another hand, under the parent
alone, or under a sibling. The kinds differ in what the label hangs on: the show, the words, the
publisher, titles without descriptions, or a show whose words say next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.topics_library import stray_words
from ml.tags.examples import TagExamples
from ml.tags.tree import TagTree
from ml.taxonomy import Entry, default_taxonomy

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
# The k-th commonest tag has k ** -0.9 of a steady share; the first has a share of its own.
_ZIPF = 0.9
_TAGS = 150

# Templates stand between "|"; "¦" becomes one.
_EPISODES = """
{show}. Выпуск {n}|{show}. Выпуск {n}. {phrase}|{show} ¦ Сезон {s}, серия {e}|{show}, {n} серия
|{phrase} // {show}|{show}: {phrase}|{show} #{n} {phrase}|{show}. {phrase} ¦ {n} выпуск
|«{show}» - {phrase} (эфир от {e:02}.{s:02}.2023)|{show} {s} сезон {e} эпизод
"""
_SINGLES = """
{phrase}|{phrase} и {other}|Как выбрать: {phrase}|{phrase} - полный обзор|{phrase}: что нужно знать
|Топ {n}: {phrase}|Вся правда: {phrase}|{phrase} за {n} минут|{other}? {phrase}!|{phrase} дома
"""
_VAGUE = """
Это надо видеть|Такого не ждал никто|Наконец-то|Смотрите до конца|Ответы на вопросы|Прямой эфир
|Мой день|Не повторяйте|Самое лучшее за месяц|Стрим {n}.{s}|Влог {n}|Нарезка {n}|Реакция
"""
_SENTENCES = """
Сегодня говорим про {phrase}.|В этом выпуске: {phrase}, {other}.|{phrase} и {other} в одном видео.
|Почему {phrase} так важно?|Наши гости расскажут, что такое {phrase}.|Что общего: {phrase}, {other}?
|Герои узнают, как {other} меняет жизнь.|Делимся опытом: {phrase}.|В программе: {other} и {phrase}.
"""
_BOILERPLATE = """
Подписывайтесь на канал: https://rutube.ru/channel/{code}|Наш телеграм: https://t.me/{code}
|Группа ВКонтакте: https://vk.com/{code}|Ставьте лайки и пишите комментарии!
|По вопросам рекламы: {code}@mail.ru|Новые выпуски каждую неделю на канале {name}
|Больше видео на нашем сайте www.{code}.ru|Не забудьте нажать на колокольчик|#{code} #видео #рутуб
"""


@dataclass(frozen=True)
class LibraryKind:
    """What a made-up catalogue is like; shares are of videos.

    Attributes:
        publishers: how many there are.
        in_series: share in series; the others stand alone.
        foremost: share that is about the commonest tag.
        of_publisher: share that is about what its publisher mostly shows.
        noise: share whose label is not what the text says.
        off_theme: share of phrases that belong to no or to another tag.
        vague: share of titles that say nothing.
        described: share that has a description.
    """

    name: str
    publishers: int
    in_series: float
    foremost: float
    of_publisher: float
    noise: float
    off_theme: float
    vague: float
    described: float


KINDS = (
    LibraryKind("shows", 40, 0.75, 0.22, 0.5, 0.25, 0.45, 0.05, 0.85),
    LibraryKind("themes", 150, 0.15, 0.2, 0.3, 0.17, 0.35, 0.05, 0.8),
    LibraryKind("publishers", 60, 0.4, 0.2, 0.85, 0.2, 0.6, 0.3, 0.9),
    LibraryKind("titles", 120, 0.6, 0.2, 0.5, 0.22, 0.3, 0.08, 0.25),
    LibraryKind("loose", 50, 0.75, 0.25, 0.6, 0.2, 0.75, 0.1, 0.85),
)


def generated_tags(kind: LibraryKind, count: int = 1049, seed: int = 0) -> TagExamples:
    """A catalogue of so many videos; the same for the same arguments."""
    return _Library(kind, np.random.default_rng([seed, *kind.name.encode()])).examples(count)


@dataclass(frozen=True)
class _Series:
    show: str
    tags: tuple[int, ...]
    publisher: int


class _Library:
    """Draws publishers, then their series, then videos."""

    def __init__(self, kind: LibraryKind, draw: np.random.Generator) -> None:
        self._kind, self._draw = kind, draw
        taxonomy = default_taxonomy()
        self._tree = TagTree.of(taxonomy)
        self._phrases = [_russian(entry) for entry in taxonomy.entries]
        self._words = _stray_words()
        self._tags, self._shares = self._drawn_tags()
        self._homes = [self._tag() for _ in range(kind.publishers)]
        self._codes = [self._code() for _ in range(kind.publishers)]
        self._rests = [self._boilerplate(code) for code in self._codes]
        # A few publishers have most of the videos.
        size = draw.random(kind.publishers) ** -0.8
        self._sizes = size / size.sum()

    def examples(self, count: int) -> TagExamples:
        rows: list[tuple[str, str, frozenset[int], str]] = []
        while len(rows) < count:
            publisher = int(self._draw.choice(len(self._sizes), p=self._sizes))
            tags = self._series_tags(publisher)
            series = _Series(self._show(tags), tags, publisher)
            alone = self._draw.random() > self._kind.in_series
            # A series counts as several videos, so that it is begun less often than a single one.
            for n in range(1 if alone else int(self._draw.integers(2, 14))):
                if n == 0 or self._draw.random() < 0.9:
                    rows.append(self._video(series, alone))
        order = self._draw.permutation(len(rows))[:count]
        titles, descriptions, labels, publishers = zip(*(rows[i] for i in order), strict=True)
        return TagExamples(
            [f"t{n:05d}" for n in range(count)],
            {"title": titles, "description": descriptions},
            labels=labels,
            publishers=publishers,
        )

    def _video(self, series: _Series, alone: bool) -> tuple[str, str, frozenset[int], str]:
        kind, draw = self._kind, self._draw
        templates = _lines(_SINGLES if alone else _EPISODES)
        if draw.random() < kind.vague:
            templates = _lines(_VAGUE)
        title = self._filled(self._one(templates), series)
        description = ""
        if draw.random() < kind.described:
            count = int(draw.integers(1, 5))
            said = [self._filled(self._one(_lines(_SENTENCES)), series) for _ in range(count)]
            description = "\n".join([" ".join(said), self._rests[series.publisher]])
        return title, description, self._label(series), self._codes[series.publisher]

    def _label(self, series: _Series) -> frozenset[int]:
        tags = list(series.tags)
        if self._draw.random() < self._kind.noise:
            tags[0] = self._other(tags[0])
        return frozenset(self._tree.without_parents(tags))

    def _other(self, tag: int) -> int:
        """What another hand files it under: the parent, a sibling, or something common."""
        parent = int(self._tree.parent[tag])
        chance = self._draw.random()
        if parent >= 0 and chance < 0.25:
            return parent
        siblings = [t for t in self._tags if self._tree.parent[t] == parent and t != tag]
        if siblings and chance < 0.5:
            return int(self._one(siblings))
        return self._tag()

    def _series_tags(self, publisher: int) -> tuple[int, ...]:
        chance = self._draw.random()
        first = self._homes[publisher] if chance < self._kind.of_publisher else self._tag()
        return (first, self._tag()) if self._draw.random() < 0.12 else (first,)

    def _tag(self) -> int:
        return int(self._draw.choice(self._tags, p=self._shares))

    def _drawn_tags(self) -> tuple[np.ndarray, np.ndarray]:
        """Tags that are used and the share of each, the commonest first."""
        usable = [n for n, phrases in enumerate(self._phrases) if len(phrases) > 1]
        deep = [n for n in usable if self._tree.level[n] > 1]
        tags = self._draw.permutation(deep)[:_TAGS]
        # Much of the tail stands beside the commonest tag, as kinds of entertainment do.
        (root,) = (n for n in self._tree.with_parents([int(tags[0])]) if self._tree.parent[n] < 0)
        near = [n for n in deep if root in self._tree.with_parents([n]) and n not in tags][:8]
        tags[1 : 1 + 2 * len(near) : 2] = near
        tail = np.arange(2.0, len(tags) + 1) ** -_ZIPF
        shares = np.concatenate(
            [[self._kind.foremost], (1 - self._kind.foremost) * tail / tail.sum()]
        )
        return tags, shares

    def _filled(self, template: str, series: _Series) -> str:
        made = template.format(
            show=series.show,
            phrase=self._phrase(series.tags),
            other=self._phrase(series.tags),
            n=int(self._draw.integers(1, 60)),
            s=int(self._draw.integers(1, 10)),
            e=int(self._draw.integers(1, 25)),
        )
        return made[0].upper() + made[1:]

    def _phrase(self, tags: Sequence[int]) -> str:
        chance = self._draw.random()
        if chance < self._kind.off_theme / 2:
            return " ".join(self._one(self._words) for _ in range(int(self._draw.integers(1, 4))))
        tag = self._tag() if chance < self._kind.off_theme else self._one(tags)
        return self._one(self._phrases[tag])

    def _show(self, tags: Sequence[int]) -> str:
        """A show's name: now and then it says what the show is about."""
        own = [self._one(self._words) for _ in range(int(self._draw.integers(1, 3)))]
        own += [self._one(self._phrases[tags[0]])] if self._draw.random() < 0.35 else []
        return " ".join(own).capitalize()

    def _code(self) -> str:
        letters = "abcdefghiklmnoprstuvz"
        return "".join(self._one(letters) for _ in range(int(self._draw.integers(5, 11))))

    def _boilerplate(self, code: str) -> str:
        lines = _lines(_BOILERPLATE)
        count = int(self._draw.integers(0, 6))
        kept = self._draw.permutation(len(lines))[:count]
        return "\n".join(lines[i].format(code=code, name=code.capitalize()) for i in kept)

    def _one(self, among: Sequence[object]) -> object:
        return among[int(self._draw.integers(len(among)))]


@cache
def _stray_words() -> list[str]:
    return stray_words()["ru"]


def _russian(entry: Entry) -> list[str]:
    return [n for n in (*entry.names, *entry.aliases) if _CYRILLIC.search(n)]


def _lines(text: str) -> list[str]:
    lines = [" ".join(part.split()) for part in text.split("|")]
    return [line.replace("¦", "|") for line in lines]
