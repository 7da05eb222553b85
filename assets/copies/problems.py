"""The indexes of candidates for copies, as ``kadr doctor`` and ``kadr index`` look at them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assets.copies.indexes import PICTURE_INDEX, SOUND_INDEX, wanted_batches
from assets.stores.kept import Kept, changed_batches, damage_found
from assets.stores.resources import Library, Models


def kept_for_copies(library: Library, models: Models) -> Iterator[Kept]:
    """The indexes of pictures and of sound."""
    makers = (models.frame_describer().identity, models.sound_fingerprinter().identity)
    of_pictures, of_sound = wanted_batches(library, makers)

    def pictures_behind(folder: Path) -> str:
        from ml.copies.picture_segments import read_manifest

        return changed_batches(read_manifest(folder).batches, of_pictures)

    def sound_behind(folder: Path) -> str:
        from ml.copies.sound_growth import batches_inside

        held = {name: of.fingerprint for name, of in (batches_inside(folder) or {}).items()}
        return changed_batches(held, of_sound)

    yield Kept(PICTURE_INDEX, damage_found(_check_pictures), behind=pictures_behind)
    yield Kept(SOUND_INDEX, damage_found(_check_sound), behind=sound_behind)


def _check_pictures(folder: Path) -> None:
    from ml.copies.picture_index import PictureIndex

    PictureIndex.open(folder, verify=True)


def _check_sound(folder: Path) -> None:
    from ml.copies.sound_index import SoundIndex

    SoundIndex.open(folder, verify=True)
