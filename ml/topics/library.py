"""What topics are found from: the vectors and the texts of a library, a sample, or one batch."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.schemas import TEXT_CHANNELS

Channel = tuple[Sequence[str], np.ndarray]
Texts = Mapping[str, str]

# A topic's own words weigh the same in an hour of speech as in its beginning, and reading them
# takes the time: 4,000 characters are five minutes of talk.
DOCUMENT_CHARACTERS = 4000


@dataclass(frozen=True)
class TopicLibrary:
    """Videos by channel.

    Attributes:
        channels: name to video ids and float32[len(ids), d].
        models: name of a channel to the model of its vectors.
        texts: text channel to video id to text; needed where the text model knows English only.
        others: ids of videos that have neither, but should be answered for.
    """

    channels: Mapping[str, Channel]
    models: Mapping[str, str]
    texts: Mapping[str, Texts] = field(default_factory=dict)
    others: Sequence[str] = ()

    @property
    def video_ids(self) -> list[str]:
        """Every video, sorted."""
        found = set(self.others)
        found.update(*(ids for ids, _ in self.channels.values()), *self.texts.values())
        return sorted(found)

    def only(self, videos: Collection[str]) -> TopicLibrary:
        """The same library with these videos alone."""
        kept = set(videos)
        channels = {}
        for name, (ids, matrix) in self.channels.items():
            rows = [row for row, video in enumerate(ids) if video in kept]
            channels[name] = [ids[row] for row in rows], matrix[rows]
        texts = {
            name: {video: text for video, text in of.items() if video in kept}
            for name, of in self.texts.items()
        }
        return TopicLibrary(
            channels, self.models, texts, [video for video in self.others if video in kept]
        )


def sample_of(ids: Iterable[str], limit: int) -> list[str]:
    """At most so many of the ids, sorted, chosen by their hash.

    The choice depends on neither order nor seed, and a library that grows keeps most of it: the
    space and the topics of two nights are then learnt from much the same videos.
    """
    return sorted(heapq.nsmallest(limit, ids, key=_hash))


def documents_of(texts: Mapping[str, Texts], characters: int | None = None) -> dict[str, str]:
    """Video id to all of its text, the title first, cut after so many characters if asked."""
    lines: dict[str, list[str]] = defaultdict(list)
    for channel in TEXT_CHANNELS:
        for video, text in texts.get(channel, {}).items():
            lines[video].append(text)
    return {video: "\n".join(found)[:characters] for video, found in lines.items()}


def _hash(video: str) -> bytes:
    return hashlib.blake2b(video.encode(), digest_size=8).digest()
