"""The Dagster instance under the state folder.

``python -m orchestration.instance COMMAND ...`` prepares the instance and becomes the command: so
start the webserver, the daemon and the code location of a server (docker-compose.yml).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.base import EventLogStorage

from assets.stores.devices import GPU_POOL
from assets.stores.needs import LIBRARY_POOLS
from ml.models.gpu_use import gpu_count
from ml.redaction import has_good_port, percent_encoded
from orchestration.executors import is_cluster
from orchestration.records import explained
from orchestration.settings import Settings, settled

CONFIG = Path(__file__).parent.parent / "dagster.yaml"
# The address is read by Dagster from the environment, so that no password stands in the file.
_POSTGRES = "storage:\n  postgres:\n    postgres_url:\n      env: KADR_POSTGRES_URL\n"
_SCHEMES = ("postgresql://", "postgresql+psycopg2://")
_MARK = "# Written by Kadr and kept up to date until you edit it: "
_NO_BOUND = 64  # more steps than ever run at a time


def prepare(settings: Settings) -> None:
    """Write the project's ``dagster.yaml`` into the instance's folder and point Dagster at it.

    A copy that was edited is left alone.

    Raises:
        ValueError: ``KADR_POSTGRES_URL`` is none, or an edited copy does not use it.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    _refuse_other_forms(settings.postgres_url)
    path = home / CONFIG.name
    if not path.exists() or _is_as_written(path.read_text()):
        _replace(path, _marked(CONFIG.read_text() + (_POSTGRES if settings.postgres_url else "")))
    elif settings.postgres_url and "storage" not in (yaml.safe_load(path.read_text()) or {}):
        raise ValueError(
            f"KADR_POSTGRES_URL is set, but {path} was edited and has no storage section: "
            f"remove the file, or add to it:\n{_POSTGRES}"
        )
    os.environ["DAGSTER_HOME"] = str(home)
    # Tesseract's own threads cost more than they bring on caption-sized crops.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")


def _refuse_other_forms(url: str) -> None:
    """Dagster's own error would be a trace, and would print the password."""
    if url and not url.startswith(_SCHEMES):
        raise ValueError("KADR_POSTGRES_URL must start with postgresql://")
    if not has_good_port(percent_encoded(url)):
        raise ValueError("KADR_POSTGRES_URL must be postgresql://user:password@host:5432/database")


def _marked(text: str) -> str:
    """The text below a line with its digest, by which an unedited copy is known later."""
    return f"{_MARK}{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}\n{text}"


def _is_as_written(text: str) -> bool:
    return text == _marked(text.partition("\n")[2])


def _replace(path: Path, text: str) -> None:
    """Write the whole file or nothing: several processes of a server start at the same time."""
    if path.exists() and path.read_text() == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)


@contextmanager
def open_here(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance, for runs that a terminal watches: steps print to it directly.

    Dagster would copy each step's output through four more processes, which slow its start and
    print traces of their own on Ctrl-C. The event log is the same either way.

    Raises:
        ConnectionError: PostgreSQL can't be reached, or went away for longer than Dagster waits.
        RecordsError: the database in the instance's folder is damaged, locked or can't be written.
    """
    no_copies = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    overrides = {"compute_logs": no_copies}
    try:
        ref = InstanceRef.from_dir(str(settings.dagster_home), overrides=overrides)
        with dg.DagsterInstance.from_ref(ref) as instance:
            set_slots(instance, settings)
            yield instance
    except Exception as error:
        in_words = explained(error, settings.dagster_home)
        if in_words is None:
            raise
        raise in_words from error


def set_slots(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Let as many steps of each pool run at a time as there are GPUs, or may write."""
    writers = 1 if is_cluster(settings) else _NO_BOUND
    gpus = gpu_slots(settings, os.environ.get("CUDA_VISIBLE_DEVICES"))
    wanted = {GPU_POOL: gpus, **dict.fromkeys(LIBRARY_POOLS, writers)}
    storage = instance.event_log_storage
    there = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    for name, slots in wanted.items():
        if there.get(name) != slots:
            _set_slots_of(storage, name, slots)


def _set_slots_of(storage: EventLogStorage, pool: str, slots: int) -> None:
    """Of a server's processes, which start at the same time, one inserts the pool's row. The others
    then meet a row that was not there when they looked; the second time they find it."""
    from sqlalchemy.exc import IntegrityError

    try:
        storage.set_concurrency_slots(pool, slots)
    except IntegrityError:
        storage.set_concurrency_slots(pool, slots)


def gpu_slots(settings: Settings, visible: str | None = None) -> int:
    """``KADR_GPUS``, or the GPUs of this machine that ``visible`` leaves.

    Where there are none, the pool keeps no step back: models share the cores.
    """
    if settings.gpus:
        return settings.gpus
    if settings.device.startswith("cuda:"):
        return 1
    here = gpu_count() if settings.device in ("auto", "cuda") else 0
    if visible is not None:
        here = min(here, len([name for name in visible.split(",") if name.strip()]))
    return here or _NO_BOUND


def main() -> None:
    """Prepare the instance, then become the command that was given."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m orchestration.instance COMMAND ...")
    settings = settled()
    prepare(settings)
    with open_here(settings):  # sets the slots of its pools
        pass
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
