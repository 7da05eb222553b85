"""Tags without training: what a video says, shows and is called, compared with each tag.

Two things speak for a tag in a channel: phrases that name it (`TagPhrases`), and where a model is
at hand that knows the text's language, or pictures, a cosine with the tag's vector that stands out
among those of all tags. Each gives its channel's weight to the tags it speaks for, the less the
weaker it is, so that channels that are absent, or silent on every tag, count for nothing. A tag's
share of all that was given, with what lies below it, is calibrated by level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ml.tags.calibration import calibrated
from ml.tags.texts import TagPhrases, is_latin, tag_texts, visual_texts
from ml.tags.tree import TagTree
from ml.taxonomy import Taxonomy
from ml.text.channels import CHANNEL_TEXT
from ml.text.embedder import TextEmbedder
from ml.vectors import ModelMismatch, list_matrix

Encode = Callable[[list[str]], np.ndarray]
# Whether a video has the vector, bool[n], and unit-length vectors, float32[n, d].
Vectors = tuple[np.ndarray, np.ndarray]

# Videos right among the first three differ by one of the sample's 42 and by a hundredth of 706
# made-up ones for .5 to 1.5 of the title and of speech and for .3 to 1.5 of the screen; a
# description at .3 loses three of the 42. Captions and pictures are not measured: the embedded
# profile has none.
CHANNEL_WEIGHTS = {
    "title": 1.0, "description": 1.0, "asr": 0.6, "ocr": 0.6, "caption": 0.6, "visual": 0.6,
}  # fmt: skip
# Weight of phrases at which they give half of their channel's: two that name one tag each.
# 1 to 4 do as well.
_HALF_PHRASES = 2.0
# What a cosine gives beside phrases: .35 to 1 do as well, 0 loses three points.
_COSINE_WEIGHT = 0.5
# Cosines are told in standard deviations from their mean over all tags, which makes models of a
# narrow range (e5) and of a wide one (MiniLM) alike; the nearest tag gives nothing at 2, all at 5.
# 0 and 3, or 2 and 7, do as well; so does a sharpness of 2 to 4.
_FAINT, _CLEAR = 2.0, 5.0
_SHARPNESS = 3.0
# Given to no tag: a video on which little is known is sure of nothing. In units of a title; of .1
# to 2 the calibrated error is least at .3 and .5.
_NO_TAG = 0.5
# Videos compared in one step: bounds the memory.
_ROWS = 256
# Unit vectors are compared as whole numbers of 2^-26: a sum of their products, whole or in part,
# stays below 2^53 (Cauchy-Schwarz), so that float64 holds it exactly in whatever order and blocks a
# BLAS adds. Of 24 million cosines in float32 10 % depended on the other rows (OpenBLAS for Haswell,
# two threads), of these none; 10,000 videos and 1,190 tags take .18 s, not .09; the error is 3e-8,
# that of float32 1e-7.
_GRID = 2.0**26


@dataclass(frozen=True)
class ZeroShotInputs:
    """What is known of some videos; each list has a place per video.

    Attributes:
        ids: of the videos.
        texts: channel to texts; an empty one is absent.
        languages: channel to ISO 639-1 codes, empty where not known; a channel may be missing.
        vectors: channel to vectors of its texts by the text model; a channel may be missing.
        visual: vectors of the pictures by the image-text model.
    """

    ids: Sequence[str]
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    languages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    visual: Vectors | None = None

    def __post_init__(self) -> None:
        lengths = [(c, len(of)) for c, of in (*self.texts.items(), *self.languages.items())]
        lengths += [(c, len(part)) for c, of in self.vectors.items() for part in of]
        lengths += [("visual", len(part)) for part in self.visual or ()]
        for channel, length in lengths:
            if length != len(self.ids):
                raise ValueError(
                    f"channel {channel!r} has {length} places for {len(self.ids)} videos"
                )
        unknown = {channel for channel, _ in lengths} - set(CHANNEL_WEIGHTS)
        if unknown:
            raise ValueError(
                f"no channel {', '.join(sorted(unknown))}; there are {', '.join(CHANNEL_WEIGHTS)}"
            )

    @property
    def has_channel(self) -> np.ndarray:
        """bool[n]: whether there is anything to go by; all scores of the others are 0."""
        has = np.zeros(len(self.ids), bool)
        for texts in self.texts.values():
            has |= np.array([bool(text.strip()) for text in texts], bool)
        for present, _ in (*self.vectors.values(), *([self.visual] if self.visual else [])):
            has |= present
        return has


class ZeroShot:
    """Compares videos with the tags of a taxonomy.

    Attributes:
        tree: the tags, in the order of the columns of scores.
        text_vectors: each text of a tag to its vector by the text model; kept by the caller and
            given again, they save embedding entries that did not change.
        visual_vectors: the same for the image-text model.
        tag_vectors: unit-length float32[m, d], the mean of each tag's texts; 0 for a tag without
            texts that the model knows. Without a model d is 0.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        encode: Encode | None,
        encode_visual: Encode | None = None,
        *,
        english_only: bool = False,
        known: Mapping[str, np.ndarray] | None = None,
        known_visual: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Finds the tags' phrases and embeds their texts.

        Args:
            taxonomy: of the tags.
            encode: texts to unit-length float32[k, d], as the vectors of videos were made; None to
                go by words alone.
            encode_visual: the same by the image-text model behind the videos' visual vectors.
            english_only: what ``encode`` makes of other languages means nothing.
            known: ``text_vectors`` of an earlier taxonomy, by the same model.
            known_visual: ``visual_vectors`` of one.
        """
        entries = taxonomy.entries
        self.tree = TagTree.of(taxonomy)
        self._phrases = TagPhrases(entries)
        self._english_only = english_only
        texts = [tag_texts(entry, english_only=english_only) for entry in entries]
        self.text_vectors = _vectors_of(texts, encode, known or {})
        self.tag_vectors = _tag_vectors(texts, self.text_vectors)
        pictured = [visual_texts(entry) for entry in entries]
        self.visual_vectors = _vectors_of(pictured, encode_visual, known_visual or {})
        self._pictured = _tag_vectors(pictured, self.visual_vectors)

    def scores(self, videos: ZeroShotInputs) -> np.ndarray:
        """How sure each tag is, a child never surer than its parent.

        A video's scores are the same whatever other videos there are. 0 means that nothing
        speaks for a tag, which for a video without any channel (`has_channel`) is all of them.

        Returns:
            float32[n, m], 0 to 1, columns as the tree's nodes.

        Raises:
            ModelMismatch: vectors of another length than those of the tags.
        """
        scores = np.zeros((len(videos.ids), len(self.tree)), np.float32)
        for block, shares in self._shares(videos):
            scores[block] = calibrated(shares, self.tree.level, self.tree.parent)
        return scores

    def shares(self, videos: ZeroShotInputs) -> np.ndarray:
        """Scores before calibration, float32[n, m]: see there."""
        shares = np.zeros((len(videos.ids), len(self.tree)), np.float32)
        for block, of_block in self._shares(videos):
            shares[block] = of_block
        return shares

    def _shares(self, videos: ZeroShotInputs) -> Iterator[tuple[slice, np.ndarray]]:
        count = len(videos.ids) if len(self.tree) else 0
        for start in range(0, count, _ROWS):
            block = slice(start, min(start + _ROWS, count))
            yield block, self._with_lower_tags(self._given(videos, block))

    def _given(self, videos: ZeroShotInputs, block: slice) -> np.ndarray:
        """float64[rows, m]: what all channels give to each tag."""
        given = np.zeros((block.stop - block.start, len(self.tree)))
        for channel, texts in sorted(videos.texts.items()):
            given += CHANNEL_WEIGHTS[channel] * self._by_words(texts[block])
        if self.tag_vectors.size:
            for channel, (present, vectors) in sorted(videos.vectors.items()):
                known = present[block] & self._is_known(videos, channel, block)
                nearness = _nearness(vectors[block], self.tag_vectors, channel)
                given += _COSINE_WEIGHT * CHANNEL_WEIGHTS[channel] * known[:, None] * nearness
        if self._pictured.size and videos.visual is not None:
            present, vectors = videos.visual
            nearness = _nearness(vectors[block], self._pictured, "visual")
            given += CHANNEL_WEIGHTS["visual"] * present[block, None] * nearness
        return given

    def _by_words(self, texts: Sequence[str]) -> np.ndarray:
        """float64[rows, m]: what phrases give to each tag, less than 1 in all."""
        found = (self._phrases.counts(texts) @ self._phrases.weights).toarray().astype(np.float64)
        return found / (found.sum(axis=1, keepdims=True) + _HALF_PHRASES)

    def _is_known(self, videos: ZeroShotInputs, channel: str, block: slice) -> np.ndarray:
        """bool[rows]: whether the text model knows the language.

        Short titles have no language: the alphabet tells. A text said to be English may be so in
        its last sentence only, so that the alphabet has to agree.
        """
        rows = range(block.start, block.stop)
        if not self._english_only:
            return np.ones(len(rows), bool)
        texts, languages = videos.texts.get(channel), videos.languages.get(channel)
        return np.array(
            [
                (languages is None or languages[row] in ("", "en"))
                and (texts is None or is_latin(texts[row]))
                for row in rows
            ],
            bool,
        )

    def _with_lower_tags(self, given: np.ndarray) -> np.ndarray:
        """float64[rows, m]: shares of what was given to all tags, and to none of them."""
        columns = np.ascontiguousarray(given.T)
        total = given.sum(axis=1) + _NO_TAG
        for node in range(len(self.tree) - 1, -1, -1):
            if self.tree.parent[node] >= 0:
                columns[self.tree.parent[node]] += columns[node]
        return (columns / total).T


def encoder(embedder: TextEmbedder) -> Encode:
    """A text model's `embed` as a function from texts, none of them blank, to their vectors."""

    def encode(texts: list[str]) -> np.ndarray:
        rows = [{"video_id": str(n), "channel": "tag", "text": t} for n, t in enumerate(texts)]
        made = embedder.embed([pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)])
        return np.vstack([list_matrix(batch.column("embedding")) for batch in made])

    return encode


def _vectors_of(
    texts: Sequence[Sequence[str]], encode: Encode | None, known: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Each text's vector; those that are not known are embedded in one call."""
    if encode is None:
        return {}
    wanted = sorted({text for of in texts for text in of})
    new = [text for text in wanted if text not in known]
    made = dict(zip(new, encode(new), strict=True)) if new else {}
    return {text: np.asarray(made.get(text, known.get(text)), np.float32) for text in wanted}


def _tag_vectors(texts: Sequence[Sequence[str]], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Unit-length float32[m, d], the mean of each tag's texts, or 0; d is 0 without vectors."""
    nothing = np.zeros_like(next(iter(vectors.values()), np.zeros(0, np.float32)))
    means = [
        np.mean([vectors[t] for t in of], axis=0) if vectors and of else nothing for of in texts
    ]
    matrix = np.array(means, np.float32).reshape(len(texts), len(nothing))
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def _nearness(vectors: np.ndarray, tags: np.ndarray, channel: str) -> np.ndarray:
    """float64[rows, m]: what cosines give to each tag, 1 at most in all."""
    if vectors.shape[1] != tags.shape[1]:
        raise ModelMismatch(
            f"vectors of channel {channel!r} have {vectors.shape[1]} dimensions, those of tags "
            f"{tags.shape[1]}: they are of two models"
        )
    cosines = _exact_cosines(vectors, tags)
    spread = np.maximum(cosines.std(axis=1, keepdims=True), 1e-9)
    z = (cosines - cosines.mean(axis=1, keepdims=True)) / spread
    best = z.max(axis=1, keepdims=True)
    weights = np.exp(_SHARPNESS * (z - best))
    clear = np.clip((best - _FAINT) / (_CLEAR - _FAINT), 0, 1)
    return clear * weights / weights.sum(axis=1, keepdims=True)


def _exact_cosines(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float64[n, m]: cosines of unit rows, of two rows the same whatever others there are."""
    ours, theirs = (np.rint(rows.astype(np.float64) * _GRID) for rows in (some, others))
    return (ours @ theirs.T) / _GRID**2
