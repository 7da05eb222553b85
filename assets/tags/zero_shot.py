"""Comparing videos with tags, by the settings' models; the tags' own vectors are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assets.search.indexes import index_folder
from assets.stores.datasets import key_of
from assets.stores.resources import Library, Models
from assets.tags.inputs import VideoTexts, makers
from assets.tags.vectors import keep_vectors, kept_vectors, tag_encoders
from ml.taxonomy import Taxonomy

if TYPE_CHECKING:
    from ml.tags.decode import Decoded
    from ml.tags.zero_shot import ZeroShot

FOLDER = "tags"
_TAXONOMY = "taxonomy.txt"
MOST_TAGS = 3
# Of made-up videos 536 of 721 have their theme among three tags so, 441 with .5; of the sample
# library's 42 all, and 36.
_LEAST_CONFIDENCE = 0.05
# Raise when the same videos would get other tags.
VERSION = "1"


@dataclass(frozen=True)
class Comparison:
    """Videos compared with tags.

    Attributes:
        identity: changes when other tags may be found.
        how: by what they are compared, in words.
        with_visual: whether pictures are.
    """

    zero_shot: ZeroShot
    identity: str
    how: str
    with_visual: bool

    def decode(self, videos: VideoTexts) -> Decoded:
        """The tags of each video; none where nothing speaks for any."""
        from ml.tags.calibration import without_unsure_children
        from ml.tags.decode import DecodeOptions, decode

        tree = self.zero_shot.tree
        scores = self.zero_shot.scores(videos.zero_shot(with_visual=self.with_visual))
        options = DecodeOptions(MOST_TAGS, _LEAST_CONFIDENCE)
        found = decode(without_unsure_children(scores, tree.parent), tree, options)
        return [[tag for tag in tags if tag[1] > 0] for tags in found]


def filed_by(library: Library) -> str:
    """Version of the taxonomy that ``video_tags`` was last brought up to; empty for none."""
    key = f"indexes/{FOLDER}/{_TAXONOMY}"
    if not library.storage.exists(key):
        return ""
    return library.storage.read_bytes(key).decode(errors="replace")


def note_filed(library: Library, taxonomy: Taxonomy) -> None:
    """Remember it."""
    if filed_by(library) != taxonomy.version:
        with index_folder(library, FOLDER) as folder:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _TAXONOMY).write_text(taxonomy.version, encoding="utf-8")


def comparison(library: Library, models: Models, taxonomy: Taxonomy) -> Comparison:
    """What compares videos with the tags; texts of tags that are not yet known are embedded.

    Raises:
        ModelMismatch: videos have vectors of another model than the settings'.
    """
    from ml.tags.zero_shot import ZeroShot

    encoders = tag_encoders(models, *makers(library))
    with index_folder(library, FOLDER) as folder:
        texts, pictures = kept_vectors(folder, encoders)
        zero_shot = ZeroShot(
            taxonomy,
            encoders.text,
            encoders.visual,
            english_only=encoders.english_only,
            known=texts,
            known_visual=pictures,
        )
        made = zero_shot.text_vectors, zero_shot.visual_vectors
        if (made[0].keys(), made[1].keys()) != (texts.keys(), pictures.keys()):
            keep_vectors(folder, encoders, *made)
    identity = key_of(VERSION, taxonomy.version, encoders.identity)
    return Comparison(zero_shot, identity, encoders.how, encoders.visual is not None)
