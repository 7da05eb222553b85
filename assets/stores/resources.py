"""What assets ask for: the library's files, the decoder, the models, ClickHouse.

Resources hold plain settings; what is expensive is opened by the step that needs it.

What may hold a password or a key is a ``Secret``: Dagster writes a resource's plain fields into its
database and shows them on pages that ask nobody who they are, and passes such a dependency on as it
is. Every process makes its resources from its own environment.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from assets.stores import models
from assets.stores.batches import BatchRegistry
from assets.stores.clickhouse import ClickHouse
from assets.stores.datasets import DatasetStore
from assets.stores.devices import claimed_device
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.models import Model
from assets.stores.secrets import Secret, hidden
from assets.stores.storage import Storage
from ml.models.profiles import Profile, profile
from ml.taxonomy import Taxonomy, default_taxonomy, load_taxonomy

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from ml.media.extract import ExtractOptions


class Library(dg.ConfigurableResource):
    """Batches, datasets and indexes under one root; scratch space beside the local state."""

    root: str
    state: str
    known_people: str = ""
    taxonomy: str = ""
    storage_options: Secret[dict[str, str]] = hidden({})
    max_source_bytes: int = DEFAULT_LIMITS.max_bytes
    min_source_rate: int = DEFAULT_LIMITS.min_bytes_per_s
    min_free_bytes: int = DEFAULT_LIMITS.min_free_bytes
    allow_hosts: list[str] = Field(default_factory=list)

    @property
    def limits(self) -> Limits:
        """What a download may take, and where it may go."""
        return Limits(
            max_bytes=self.max_source_bytes,
            min_bytes_per_s=self.min_source_rate,
            min_free_bytes=self.min_free_bytes,
            allow_hosts=tuple(self.allow_hosts),
        )

    @property
    def known_faces(self) -> Storage:
        """Where ``NAME/*.jpg`` are, by default below the root."""
        root = self.known_people or f"{self.root}/known_people"
        return Storage(root, dict(self.storage_options))

    def read_taxonomy(self) -> Taxonomy:
        """What videos are filed under: the settings' file, or Kadr's own.

        Raises:
            TaxonomyError: the file is none.
        """
        return load_taxonomy(Path(self.taxonomy)) if self.taxonomy else default_taxonomy()

    @property
    def storage(self) -> Storage:
        """The root, local or in an object store."""
        return Storage(self.root, dict(self.storage_options))

    @property
    def scratch(self) -> Path:
        """Local space for temporary files; what a killed step left there is removed by the CLI."""
        return Path(self.state) / "scratch"

    @property
    def datasets(self) -> DatasetStore:
        """The Parquet datasets."""
        return DatasetStore(self.storage, self.scratch)

    @property
    def batches(self) -> BatchRegistry:
        """The batch lists."""
        return BatchRegistry(self.storage)


class Decoding(dg.ConfigurableResource):
    """How source files are decoded, how many at once, and in how many nights one may fail for a
    reason that may pass."""

    reader: str = "pyav"
    workers: int = 1
    attempts: int = 3
    min_duration_s: float = 0.0
    max_duration_s: float = 6 * 3600.0
    max_failed_share: float = 0.5

    def options(self) -> "ExtractOptions":
        """The settings of one decode pass."""
        from ml.media.extract import ExtractOptions

        return ExtractOptions(
            reader=self.reader,
            min_duration_s=self.min_duration_s,
            max_duration_s=self.max_duration_s,
        )


class Models(dg.ConfigurableResource):
    """The profile with its overrides, and where models run."""

    profile_name: str = "embedded"
    speech: str = ""
    ocr: str = ""
    visual: str = ""
    text: str = ""
    faces: str = ""
    captions: str = ""
    captions_language: str = "en"
    device: str = "auto"
    workers: int = 1
    tessdata: str = ""
    # Where steps of this machine claim GPUs; without it they share the first.
    state: str = ""
    _step: ExitStack | None = PrivateAttr(default=None)
    _own_device: str = PrivateAttr(default="")
    _say: Callable[[str], None] = PrivateAttr(default=print)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Models"]:
        """Dagster's own hook, around a step: the GPU that it claimed is let go of at its end."""
        with ExitStack() as step:
            self._step, self._own_device = step, ""
            self._say = context.log.info if context.log else print
            yield self

    def own_device(self) -> str:
        """Where models run: in a step a GPU of its own, claimed when it is first asked for.

        Outside of steps, as for a search, the first GPU is shared.

        Raises:
            ValueError: the GPU that is asked for is not there.
        """
        from ml.models.device import pick_device

        if self._step is None or not self.state:
            return pick_device(self.device)
        if not self._own_device:
            claim = claimed_device(self.device, Path(self.state) / "gpus", self._say)
            self._own_device = self._step.enter_context(claim)
        return self._own_device

    @property
    def profile(self) -> Profile:
        """Model ids by channel."""
        return profile(
            self.profile_name,
            speech=self.speech,
            ocr=self.ocr,
            visual=self.visual,
            text=self.text,
            faces=self.faces,
            captions=self.captions,
        )

    def speech_model(self) -> Model:
        """The speech recogniser, not loaded yet."""
        return models.speech(self)

    def text_reader(self) -> Model:
        """The reader of text on screen, not loaded yet."""
        return models.ocr(self)

    def image_embedder(self) -> Model:
        """The image embedder, not loaded yet."""
        return models.visual(self)

    def text_embedder(self) -> Model:
        """The text embedder, not loaded yet."""
        return models.text(self)

    def face_finder(self) -> Model:
        """The face detector and recogniser, not loaded yet."""
        return models.faces(self)

    def captioner(self) -> Model:
        """The video LLM, not loaded yet."""
        return models.captions(self)

    def frame_describer(self) -> Model:
        """What describes frames so that copies are found."""
        return models.frame_describer(self)

    def sound_fingerprinter(self) -> Model:
        """What describes sound so that copies are found."""
        return models.sound_fingerprinter(self)

    def fetch(self) -> Iterator[tuple[str, str]]:
        """Fetch the profile's models ahead: pairs of model id and where it is."""
        return models.fetch_all(self)


class Tables(dg.ConfigurableResource):
    """ClickHouse: the embedded engine's directory or a server's URL."""

    url: Secret[str] = hidden()

    @contextmanager
    def session(self, reason: str, say: Callable[[str], None]) -> Iterator["Client"]:
        """A migrated client; the embedded engine is held no longer than the block."""
        with ClickHouse(self.url, on_wait=say).session(reason) as client:
            yield client
