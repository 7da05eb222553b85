"""Every setting, read from the environment here and nowhere else.

``KADR_DATA`` may be a local folder or ``s3://bucket/prefix``. What must be local (the embedded
ClickHouse, the Dagster instance, scratch files) lies under ``KADR_STATE``, by default the data
folder itself.

What may hold a password or a key (``SECRET``) can stand in a file, as Docker and Kubernetes mount
secrets: ``KADR_CLICKHOUSE_URL_FILE`` names it. It is in no ``repr`` and in no error. All others are
shown on Dagster's pages, so an address with a password in it is refused there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from assets.stores.limits import DEFAULT_LIMITS, Limits, hosts_of
from ml.redaction import percent_encoded, shown

PREFIX = "KADR_"
_ELSEWHERE = "keys belong into KADR_STORAGE_OPTIONS or KADR_STORAGE_OPTIONS_FILE"


def _secret(default: Any = "") -> Any:
    return field(default_factory=lambda: default, repr=False, metadata={"secret": True})


@dataclass(frozen=True)
class Settings:
    """The environment's ``KADR_*`` variables, typed. A field's name is the variable's, lowered."""

    data: str = "./data"
    state: str = ""
    profile: str = "embedded"
    speech_model: str = ""
    ocr_model: str = ""
    visual_model: str = ""
    text_model: str = ""
    faces_model: str = ""
    captions_model: str = ""
    captions_language: str = "en"
    device: str = "auto"
    gpus: int = 0
    tessdata: str = ""
    known_people: str = ""
    taxonomy: str = ""
    slang: str = ""
    translation_model: str = ""
    clickhouse_url: str = _secret()
    postgres_url: str = _secret()
    executor: str = "multiprocess"
    source: str = _secret()
    nightly_cron: str = "0 1 * * *"
    arrivals_every_s: int = 0
    batch_attempts: int = 3
    batch_order: str = "newest"
    storage_options: Mapping[str, str] = _secret({})
    batch_size: int = 500
    workers: int = 0
    steps_at_once: int = 2
    reader: str = "pyav"
    min_duration_s: float = 0.0
    max_duration_s: float = 6 * 3600.0
    max_failed_share: float = 0.5
    max_source_bytes: int = DEFAULT_LIMITS.max_bytes
    min_source_rate: int = DEFAULT_LIMITS.min_bytes_per_s
    min_free_bytes: int = DEFAULT_LIMITS.min_free_bytes
    allow_hosts: str = ""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not one.metadata and isinstance(value, str) and shown(value) != value:
                raise ValueError(
                    f"{PREFIX}{one.name.upper()} holds a user, a password or a signature, and it "
                    f"is shown on Dagster's pages: {_ELSEWHERE}"
                )

    @property
    def limits(self) -> Limits:
        """What a download may take, and where it may go.

        Raises:
            ValueError: ``KADR_ALLOW_HOSTS`` holds what is no host and no bucket.
        """
        return Limits(
            max_bytes=self.max_source_bytes,
            min_bytes_per_s=self.min_source_rate,
            min_free_bytes=self.min_free_bytes,
            allow_hosts=hosts_of(self.allow_hosts),
        )

    @property
    def is_remote(self) -> bool:
        """Whether the datasets lie in an object store."""
        return "://" in self.data

    @property
    def data_root(self) -> str:
        """The data root, absolute when it is a local folder."""
        return self.data if self.is_remote else str(Path(self.data).expanduser().resolve())

    @property
    def state_dir(self) -> Path:
        """The local folder for what cannot lie in an object store."""
        if self.state or not self.is_remote:
            return Path(self.state or self.data).expanduser().resolve()
        # A folder of its own for every remote library: their batches have the same names.
        name = re.sub(r"\W+", "-", self.data).strip("-")
        digest = hashlib.blake2b(self.data.encode(), digest_size=4).hexdigest()
        return Path("data", f"{name}-{digest}").resolve()

    @property
    def known_people_root(self) -> str:
        """The folder of pictures of people whose names are known; it need not exist."""
        if "://" in self.known_people:
            return self.known_people
        if self.known_people:
            return str(Path(self.known_people).expanduser().resolve())
        return f"{self.data_root.rstrip('/')}/known_people"

    @property
    def taxonomy_file(self) -> str:
        """The CSV of the tags; empty for Kadr's own."""
        return str(Path(self.taxonomy).expanduser().resolve()) if self.taxonomy else ""

    @property
    def slang_file(self) -> str:
        """A table of slang of one's own; it need not exist, and lies below a local data root."""
        if self.slang:
            return str(Path(self.slang).expanduser().resolve())
        return "" if self.is_remote else f"{self.data_root}/slang.csv"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance."""
        return self.state_dir / "dagster"

    @property
    def clickhouse(self) -> str:
        """The server's URL, or that of the embedded engine's directory."""
        return self.clickhouse_url or f"chdb://{self.state_dir / 'clickhouse'}"

    @property
    def worker_count(self) -> int:
        """Processes a step may use: one a core unless set."""
        return self.workers or len(_affinity()) or os.cpu_count() or 1


SECRET = frozenset(f"{PREFIX}{f.name.upper()}" for f in fields(Settings) if f.metadata)
_FILE = "_FILE"
VARIABLES = (
    *(PREFIX + f.name.upper() for f in fields(Settings)),
    *sorted(name + _FILE for name in SECRET),
)
"""Every variable that is read."""


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Raises:
        ValueError: a variable that is no setting, or a value of the wrong type, by name.
    """
    environment = os.environ if environment is None else environment
    known = {PREFIX + f.name.upper(): f.name for f in fields(Settings)}
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    given = _with_files(given)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]}; there are: {', '.join(sorted(known))}")
    values: dict[str, Any] = {
        known[name]: _parse(name, value) for name, value in given.items() if value != ""
    }
    settings = Settings(**values)
    _ = settings.limits  # names hosts that are none now, not in the middle of the night
    return settings


def _with_files(given: Mapping[str, str]) -> dict[str, str]:
    """The variables, with the contents of the files that secret ones are named by.

    Raises:
        ValueError: both are given, or the file can't be read.
    """
    names = {name + _FILE: name for name in SECRET}
    read = {names[name]: _read(name, path) for name, path in given.items() if name in names}
    for twice in sorted(read.keys() & given.keys()):
        raise ValueError(f"{twice} and {twice}{_FILE} are both set: give one of them")
    return {name: value for name, value in given.items() if name not in names} | read


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValueError(f"{name}: cannot read {path}: {reason}") from None


def settled() -> Settings:
    """The environment's settings, with the data root made absolute there too: child processes read
    the same environment and may run in another folder. Dagster reads PostgreSQL's URL itself, and
    two libraries after it, each with other signs that a password may not hold."""
    settings = from_environment()
    os.environ[f"{PREFIX}DATA"] = settings.data_root
    if settings.postgres_url:
        os.environ.pop(f"{PREFIX}POSTGRES_URL{_FILE}", "")
        os.environ[f"{PREFIX}POSTGRES_URL"] = percent_encoded(settings.postgres_url)
    return settings


def _affinity() -> set[int]:
    """The cores this process may use; empty where the system does not say (macOS)."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _parse(name: str, value: str) -> object:
    default = getattr(Settings(), name.removeprefix(PREFIX).lower())
    try:
        if isinstance(default, Mapping):
            return {str(k): str(v) for k, v in json.loads(value).items()}
        return type(default)(value)
    except (ValueError, AttributeError):
        kind = "a JSON object" if isinstance(default, Mapping) else type(default).__name__
        found = "" if name in SECRET else f", not {value!r}"
        raise ValueError(f"{name} must be {kind}{found}") from None
