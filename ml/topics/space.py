"""The space of topics: where a video lies by everything that is known of it.

A video's channels are standardised and laid side by side, each with its weight; principal
components make a short vector of that, at unit length. Everything learnt from the library (means,
deviations, words, axes) is kept in the space and never changes: two nights' centroids compare, and
a new video is placed without touching the others. What was chosen between was measured by
`benchmarks.topics` as the adjusted Rand index (ARI) against the themes of small bilingual
libraries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.schemas import TEXT_CHANNELS
from ml.text.lexical import LexicalSpace
from ml.topics.channels import ChannelScale, checked, foreign_shares
from ml.topics.library import Channel, Texts, TopicLibrary, documents_of, sample_of
from ml.topics.space_file import packed, unpacked
from ml.vectors import ModelMismatch

# A title names its theme better than a transcript with recognition errors does. The words
# themselves weigh as much as a title; 1 to 3 did about as well.
CHANNEL_WEIGHTS: Mapping[str, float] = {
    "title": 1.0,
    "description": 1.0,
    "asr": 0.5,
    "ocr": 0.5,
    "lexical": 1.0,
    "visual": 0.25,
}
# The packaged picture descriptor knows colours and edges, not things: from 0 to .1 nothing
# changes, .25 and .5 take ARI from .58 to .57 and .50. Above 0, so that a video without text has
# a vector.
_LAYOUT, _LAYOUT_WEIGHT = "layout-descriptor@", 0.05
# The packaged text model knows English only, so the words are a channel of their own. ARI on the
# libraries `sample` and `tuning`: .18 and .08 with neither words nor levelling, .59 and .20 without
# the words, .61 and .59 with both.
_ENGLISH_ONLY = "all-MiniLM-L6-v2@"
_LEXICAL = "lexical"
# With one dimension for six videos, at most 50, ARI is .52-.67 on titles and .93-.97 on synthetic
# themes; with 50 from the start .39-.47 on titles: HDBSCAN finds no density in many dimensions.
_VIDEOS_PER_DIMENSION = 6
# Of a joined vector, whose mean squared length is 1: shorter is rounding, not difference.
_ROUNDING = 1e-4
# Share of the variance below which an axis is rounding.
_LEAST_VARIANCE = 1e-9
# Videos joined at a time: 4,096 x 1,700 columns in float32 are 28 MB.
_ROWS = 4096


@dataclass(frozen=True)
class SpaceOptions:
    """How a space is learnt.

    Attributes:
        dimensions: principal components kept, at most.
        sample_limit: videos it is learnt from, at most.
    """

    dimensions: int = 50
    sample_limit: int = 20_000


@dataclass(frozen=True)
class TopicSpace:
    """Where videos lie, learnt once.

    Attributes:
        models: channel to the model whose vectors it was learnt from.
        count: videos it was learnt from.
        scales: channel to how its vectors are standardised, by name.
        lexical: the words, where the text model knows English only.
        mean: float32[D] of the joined vectors.
        axes: float32[k, D], principal components. Videos that are all the same have none.
    """

    models: Mapping[str, str]
    count: int
    scales: Mapping[str, ChannelScale]
    lexical: LexicalSpace | None
    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, library: TopicLibrary, options: SpaceOptions | None = None) -> TopicSpace:
        """Learns a space from a library, or from `sample_limit` of its videos chosen by hash.

        The same whatever the order of the videos. To read no more than is used, hand over the
        videos of `ml.topics.library.sample_of` alone.

        Raises:
            ValueError: NaN or infinite values, a video twice in a channel, or ids and vectors
                that differ in number.
        """
        options = options or SpaceOptions()
        for name, channel in library.channels.items():
            checked(name, *channel)
        ids = _ids(library.channels)
        if len(ids) > options.sample_limit:
            ids = sample_of(ids, options.sample_limit)
            library = library.only(ids)
        lexical = None
        if knows_english_only(library.models):
            lexical = LexicalSpace.fit(documents_of(library.texts))
        channels = _with_words(library, lexical)
        models = {name: library.models[name] for name in channels if name != _LEXICAL}
        scales = _fitted(channels, library.models, library.texts)
        joined, _ = _joined(scales, channels, library.texts, ids)
        return cls(models, len(ids), scales, lexical, *_axes(joined, options.dimensions))

    @property
    def model(self) -> str:
        """Names and revisions of the models behind the vectors, for people."""
        words = set() if self.lexical is None else {self.lexical.model}
        return ", ".join(sorted(set(self.models.values()) | words))

    @property
    def dimensions(self) -> int:
        """Length of the vectors, at least 1."""
        return max(1, len(self.axes))

    def project(self, library: TopicLibrary) -> tuple[list[str], np.ndarray]:
        """Where videos lie, be they the ones that the space was learnt from or new.

        Channels that the space has not met count nothing. A video of which nothing is known (no
        channel that counts) is a row of zeros: it lies nowhere and belongs to no topic.

        Args:
            library: all videos, or some of them, such as one batch.

        Returns:
            The ids, sorted, and float32[len(ids), dimensions] of unit length or zero.

        Raises:
            ModelMismatch: vectors of another model than the space was learnt from.
            ValueError: NaN or infinite values, a video twice in a channel, or ids and vectors
                that differ in number.
        """
        self._check(library)
        ids = library.video_ids
        z = np.zeros((len(ids), self.dimensions), np.float32)
        channels = _with_words(library, self.lexical)
        for start in range(0, len(ids), _ROWS):
            some = ids[start : start + _ROWS]
            joined, is_known = _joined(self.scales, channels, library.texts, some)
            z[start : start + _ROWS] = self._placed(joined) * is_known[:, None]
        return ids, z

    def save(self, path: Path) -> None:
        """Writes the space; the same bytes for the same space."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> TopicSpace:
        """Reads a space.

        Raises:
            ValueError: the file holds none.
        """
        return cls.from_bytes(path.read_bytes())

    def to_bytes(self) -> bytes:
        """The space as a file: NumPy arrays in a zip, without pickles."""
        return packed(
            {"models": dict(self.models), "count": self.count},
            self.scales,
            self.lexical,
            {"mean": self.mean, "axes": self.axes},
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> TopicSpace:
        """The space that `to_bytes` wrote.

        Raises:
            ValueError: these bytes are none, or an older version's.
        """
        facts, scales, lexical, arrays = unpacked(data)
        return cls(facts["models"], facts["count"], scales, lexical, arrays["mean"], arrays["axes"])

    def _placed(self, joined: np.ndarray) -> np.ndarray:
        centred = joined - self.mean
        length = np.linalg.norm(centred, axis=1)
        if not len(self.axes):
            # Learnt from videos that are all the same: another one lies nowhere.
            return np.asarray(length <= _ROUNDING, np.float32)[:, None]
        z = centred @ self.axes.T
        length = np.linalg.norm(z, axis=1)
        z[length <= _ROUNDING] = 0.0
        return np.asarray(z / np.maximum(length, _ROUNDING)[:, None], np.float32)

    def _check(self, library: TopicLibrary) -> None:
        for name, (ids, matrix) in library.channels.items():
            if name not in self.scales or not len(ids):
                continue
            made, wanted = library.models.get(name), self.models[name]
            if made != wanted:
                raise ModelMismatch(
                    f"{name} vectors were made by {made!r}, the space of topics was learnt from "
                    f"those of {wanted!r}: cluster the topics anew"
                )
            checked(name, ids, matrix, len(self.scales[name].mean))


def knows_english_only(models: Mapping[str, str]) -> bool:
    """Whether the text channels were embedded by the packaged English model."""
    return any(models.get(c, "").startswith(_ENGLISH_ONLY) for c in TEXT_CHANNELS)


def _ids(channels: Mapping[str, Channel]) -> list[str]:
    return sorted({video for ids, _ in channels.values() for video in ids})


def _with_words(library: TopicLibrary, lexical: LexicalSpace | None) -> dict[str, Channel]:
    """The channels that have videos, and the words as one of them."""
    channels = {name: channel for name, channel in library.channels.items() if len(channel[0])}
    if lexical is not None:
        ids, matrix = lexical.project(documents_of(library.texts))
        if ids:
            channels[_LEXICAL] = ids, matrix
    return channels


def _fitted(
    channels: Mapping[str, Channel], models: Mapping[str, str], texts: Mapping[str, Texts]
) -> dict[str, ChannelScale]:
    weights = dict(CHANNEL_WEIGHTS)
    if models.get("visual", "").startswith(_LAYOUT):
        weights["visual"] = _LAYOUT_WEIGHT
    is_levelled = knows_english_only(models)
    scales = {}
    for name, (ids, matrix) in sorted(channels.items()):
        foreign = foreign_shares(ids, texts[name]) if is_levelled and name in texts else None
        # Sums of floats depend on the order of the rows.
        order = np.argsort(np.array(ids))
        scales[name] = ChannelScale.fit(
            matrix[order],
            weights.get(name, 1.0),
            foreign=None if foreign is None else foreign[order],
            is_whole=name == _LEXICAL,
        )
    return scales


def _joined(
    scales: Mapping[str, ChannelScale],
    channels: Mapping[str, Channel],
    texts: Mapping[str, Texts],
    ids: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    """float32[n, D], the channels side by side, and bool[n], whether anything is known.

    A channel that a video lacks is zeros, the channel's mean: it pulls towards nothing. What a
    video has is scaled up to the full weight, so that a video with a title alone is not closer to
    the middle than one with every channel.
    """
    place = {video: row for row, video in enumerate(ids)}
    blocks, present = [np.zeros((len(ids), 0), np.float32)], np.zeros(len(ids))
    for name, scale in scales.items():
        block = np.zeros((len(ids), len(scale.mean)), np.float32)
        of, matrix = channels.get(name, ((), block))
        found = [(row, place[video]) for row, video in enumerate(of) if video in place]
        if found:
            rows, at = np.array(found).T
            foreign = foreign_shares([of[row] for row in rows], texts.get(name, {}))
            block[at], counts = scale.block(matrix[rows], foreign)
            present[at] += counts
        blocks.append(block)
    is_known = present > 0
    full = np.where(is_known, 1 / np.sqrt(np.maximum(present, 1e-12)), 0.0)
    return np.hstack(blocks) * full[:, None].astype(np.float32), is_known


def _axes(joined: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and leading principal components: at most a sixth as many as videos, at least 2."""
    from sklearn.decomposition import PCA

    n, d = joined.shape
    spread = float(np.sqrt(joined.var(axis=0).sum())) if n else 0.0
    if spread <= _ROUNDING:
        mean = joined.mean(axis=0) if n else np.zeros(d, np.float32)
        return mean.astype(np.float32), np.zeros((0, d), np.float32)
    k = min(max(2, min(dimensions, n // _VIDEOS_PER_DIMENSION)), n, d)
    # Neither solver draws random numbers.
    pca = PCA(k, svd_solver="covariance_eigh" if n > d else "full").fit(joined.astype(np.float64))
    is_real = pca.explained_variance_ > _LEAST_VARIANCE * spread**2
    return pca.mean_.astype(np.float32), pca.components_[is_real].astype(np.float32)
