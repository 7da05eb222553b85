"""What tags and keywords are made from: a batch's texts and vectors, out of the datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assets.search.indexes import made_by_one_model
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.resources import Library
from ml.schemas import CAPTIONS, TEXT, VIDEOS, VISUAL

if TYPE_CHECKING:
    from ml.tags.examples import TagExamples
    from ml.tags.zero_shot import ZeroShotInputs

SOURCES = tuple(dataset.name for dataset in (VIDEOS, TEXT, VISUAL, CAPTIONS))
# Title and description stand in the catalogue; these are made by models.
_CATALOGUE = ("title", "description")
_READ = ["video_id", "channel", "text", "language", "embedding"]


@dataclass(frozen=True)
class VideoTexts:
    """What is known of some videos; each list has a place per video.

    Attributes:
        ids: of the videos.
        texts: channel to texts, empty where absent.
        languages: channel to ISO 639-1 codes, empty where unknown.
        vectors: channel to whether a video has one, bool[n], and float32[n, d].
        tags: the catalogue's own, as they stand there.
    """

    ids: Sequence[str]
    texts: Mapping[str, Sequence[str]]
    languages: Mapping[str, Sequence[str]]
    vectors: Mapping[str, tuple[np.ndarray, np.ndarray]]
    tags: Sequence[str]
    visual: tuple[np.ndarray, np.ndarray] | None = field(default=None)

    def zero_shot(self, *, with_visual: bool) -> ZeroShotInputs:
        """As what is compared with tags."""
        from ml.tags.zero_shot import ZeroShotInputs

        visual = self.visual if with_visual else None
        return ZeroShotInputs(self.ids, self.texts, self.languages, self.vectors, visual)

    def examples(self, labels: Sequence[frozenset[int]] = ()) -> TagExamples:
        """As what tags are learnt from."""
        from ml.tags.examples import ChannelVectors, TagExamples

        vectors = {c: ChannelVectors(z, there) for c, (there, z) in self.vectors.items()}
        if self.visual is not None:
            vectors["visual"] = ChannelVectors(self.visual[1], self.visual[0])
        return TagExamples(self.ids, self.texts, vectors, labels)

    def documents(self) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Video id to channel to text, and to language; channels that are absent are left out."""
        texts = {
            video: {c: of[row] for c, of in self.texts.items() if of[row].strip()}
            for row, video in enumerate(self.ids)
        }
        languages = {
            video: {c: of[row] for c, of in self.languages.items() if of[row]}
            for row, video in enumerate(self.ids)
        }
        return texts, languages


def fingerprint(store: DatasetStore, batch: str) -> str:
    """Changes with the texts and vectors of the batch; empty where it is not decoded yet."""
    ledgers = [store.ledger(d.name, batch) for d in (VIDEOS, TEXT, VISUAL, CAPTIONS)]
    if ledgers[0] is None:
        return ""
    return key_of(*(ledger.fingerprint() if ledger else "" for ledger in ledgers))


def makers(library: Library) -> tuple[str, str]:
    """Identities of the models behind the vectors of texts and of pictures; ``off`` for none.

    Raises:
        ModelMismatch: two models made them.
    """
    store, batches = library.datasets, library.batches.names()
    return made_by_one_model(store, TEXT, batches)[1], made_by_one_model(store, VISUAL, batches)[1]


def texts_of(
    store: DatasetStore, batch: str, only: Sequence[str] | None = None, *, with_visual: bool = False
) -> VideoTexts:
    """The videos of a batch that were decoded; of ``only`` some of them."""
    columns = ["video_id", "status", *_CATALOGUE, "tags"]
    rows = [r for r in store.table(VIDEOS, batch, columns).to_pylist() if r["status"] == "ok"]
    if only is not None:
        wanted = set(only)
        rows = [row for row in rows if row["video_id"] in wanted]
    ids = [row["video_id"] for row in rows]
    place = {video: at for at, video in enumerate(ids)}
    texts = {channel: [row[channel] or "" for row in rows] for channel in _CATALOGUE}
    languages: dict[str, list[str]] = {}
    vectors: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    _read_texts(store, batch, place, texts, languages, vectors)
    _read_captions(store, batch, place, texts, languages)
    visual = _visual(store, batch, place) if with_visual else None
    return VideoTexts(ids, texts, languages, vectors, [row["tags"] or "" for row in rows], visual)


def joined(parts: Sequence[VideoTexts]) -> VideoTexts:
    """The videos of several batches; a channel that a batch lacks is absent there."""
    counts = [len(part.ids) for part in parts]

    def lists(of: Callable[[VideoTexts], Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
        channels = sorted({channel for part in parts for channel in of(part)})
        sized = list(zip(map(of, parts), counts, strict=True))
        return {c: [t for part, n in sized for t in part.get(c, [""] * n)] for c in channels}

    channels = sorted({channel for part in parts for channel in part.vectors})
    vectors = {c: _end_to_end([part.vectors.get(c) for part in parts], counts) for c in channels}
    visual = [part.visual for part in parts]
    return VideoTexts(
        [video for part in parts for video in part.ids],
        lists(lambda part: part.texts),
        lists(lambda part: part.languages),
        vectors,
        [tags for part in parts for tags in part.tags],
        _end_to_end(visual, counts) if any(z is not None for z in visual) else None,
    )


def _end_to_end(
    parts: Sequence[tuple[np.ndarray, np.ndarray] | None], counts: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    width = next(part[1].shape[1] for part in parts if part is not None)
    whole = [part or _no_vectors(n, width) for part, n in zip(parts, counts, strict=True)]
    return np.concatenate([p[0] for p in whole]), np.concatenate([p[1] for p in whole])


def _read_texts(
    store: DatasetStore,
    batch: str,
    place: Mapping[str, int],
    texts: dict[str, list[str]],
    languages: dict[str, list[str]],
    vectors: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    from ml.vectors import list_matrix

    if store.ledger(TEXT.name, batch) is None:
        return
    for part in store.rows(TEXT, batch, columns=_READ, video_ids=list(place)):
        matrix = list_matrix(part.column("embedding"))
        names = (part.column(name).to_pylist() for name in _READ[:4])
        for row, (video, channel, text, language) in enumerate(zip(*names, strict=True)):
            at, empty = place[video], [""] * len(place)
            texts.setdefault(channel, list(empty))[at] = text
            languages.setdefault(channel, list(empty))[at] = language
            there, z = vectors.setdefault(channel, _no_vectors(len(place), matrix.shape[1]))
            there[at], z[at] = True, matrix[row]


def _read_captions(
    store: DatasetStore,
    batch: str,
    place: Mapping[str, int],
    texts: dict[str, list[str]],
    languages: dict[str, list[str]],
) -> None:
    """What pictures show, in a model's words: the channel ``caption``."""
    if store.ledger(CAPTIONS.name, batch) is None:
        return
    columns = ["video_id", "caption", "language"]
    for part in store.rows(CAPTIONS, batch, columns=columns, video_ids=list(place)):
        for row in part.to_pylist():
            at, empty = place[row["video_id"]], [""] * len(place)
            texts.setdefault("caption", list(empty))[at] = row["caption"]
            languages.setdefault("caption", list(empty))[at] = row["language"]


def _visual(
    store: DatasetStore, batch: str, place: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """The mean of each video's frames; None where there are none."""
    from ml.vectors import list_matrix, pool_frames

    found: tuple[np.ndarray, np.ndarray] | None = None
    if store.ledger(VISUAL.name, batch) is None:
        return None
    for part in pool_frames(store.rows(VISUAL, batch, video_ids=list(place))):
        matrix = list_matrix(part.column("embedding"))
        found = found or _no_vectors(len(place), matrix.shape[1])
        for row, video in enumerate(part.column("video_id").to_pylist()):
            found[0][place[video]], found[1][place[video]] = True, matrix[row]
    return found


def _no_vectors(count: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(count, bool), np.zeros((count, dimension), np.float32)
