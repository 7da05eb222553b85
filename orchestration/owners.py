"""Who drives a run, in a form that can be proved: is the process that began it still at work?

A number of a process proves nothing: it is used again, in containers every time. Nor does a host's
name, which a container gets anew. So a run carries what the kernel says of its process, and its
process says that it lives for as long as it does:

- the boot of the machine, the namespace of process numbers, the number, and when the process
  started, in the kernel's own ticks since the boot. Whoever shares boot and namespace can look, and
  what it sees is certain, whatever clocks and names have become meanwhile.
- a beat: a number in the instance's storage that its process changes every ``BEAT_S``. Whoever can
  not look at the process (another machine, another container, the same machine after it was
  switched off) watches for ``WATCH_S`` whether it changes. No clock of another is read.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import dagster as dg
import psutil

log = logging.getLogger(__name__)
OWNER_TAG = "kadr/owner"
# A write of some bytes; a process that is alive but has no core for itself still manages one in
# half a minute.
BEAT_S, WATCH_S = 5.0, 30.0
_POLL_S = 0.25
# A daemon says that it lives every 30 s.
_DAEMON_SILENT_S = 180.0
_START_TICKS = 19  # of /proc/PID/stat, counted behind the name


@dataclass(frozen=True)
class Owner:
    """A process, as the kernel knows it; ``host`` is for people.

    ``boot`` and ``namespace`` are empty where the system does not tell them: then only beats count.
    ``records`` is the file in which the instance that it works on keeps its runs, empty for a
    server: a data folder may be copied while it is at work, and it is not at work on the copy.
    """

    beat: str
    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    records: str = ""

    def lives(self, records: str = "") -> bool | None:
        """Whether the process is there and works on these records; None where that can't be seen
        from here."""
        here = this_process()
        if not here.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return None
        is_there = bool(self.started) and _started(self.pid) == self.started
        return is_there and self.records == records

    def as_tag(self) -> str:
        """The value of ``OWNER_TAG``."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def owner_of(text: str) -> Owner | None:
    """The owner that a tag names; None for what is no owner."""
    try:
        return Owner(**json.loads(text))
    except (ValueError, TypeError):
        return None


def this_process() -> Owner:
    """The process that asks; a forked child is another one."""
    return _this(os.getpid())


@cache
def _this(pid: int) -> Owner:
    return Owner(uuid.uuid4().hex, socket.gethostname(), _boot(), _namespace(), pid, _started(pid))


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _started(pid: int) -> str:
    """When a process started, in a form that no other process of this boot has with its number;
    empty where there is none. One that ended and that nobody has asked after is none."""
    if sys.platform != "linux":
        with suppress(psutil.Error):
            return str(psutil.Process(pid).create_time())
        return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[_START_TICKS]


# Beats --------------------------------------------------------------------------------------------


def records_of(instance: dg.DagsterInstance) -> str:
    """The device and number of the file of an instance's runs; empty where a server has them."""
    if instance.is_ephemeral:
        return ""
    try:
        found = Path(instance.root_directory, "history", "runs.db").stat()
    except FileNotFoundError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


@contextmanager
def beating(instance: dg.DagsterInstance) -> Iterator[Owner]:
    """Say that this process lives, for as long as the block takes."""
    me, done = replace(this_process(), records=records_of(instance)), threading.Event()
    _beat(instance, me)
    thread = threading.Thread(target=_beat_on, args=(instance, me, done), daemon=True)
    thread.start()
    try:
        yield me
    finally:
        done.set()
        thread.join()


def _beat_on(instance: dg.DagsterInstance, me: Owner, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        try:
            _beat(instance, me)
        except Exception as error:  # a full disk, a server that is away: the run itself will tell
            log.debug("could not say that %s lives: %s", me, error)


def _beat(instance: dg.DagsterInstance, me: Owner) -> None:
    instance.run_storage.set_cursor_values({_beat_key(me): str(time.monotonic_ns())})


def _beat_key(owner: Owner) -> str:
    return f"kadr/beat/{owner.beat}"


def dead_among(instance: dg.DagsterInstance, owners: Iterable[Owner]) -> set[Owner]:
    """Those whose process is gone. Takes ``WATCH_S`` where only silence can tell, and less where a
    beat comes."""
    records = records_of(instance)
    seen = {owner: owner.lives(records) for owner in set(owners)}
    far = {owner for owner, lives in seen.items() if lives is None}
    if far:
        names = ", ".join(sorted(map(str, far)))
        log.warning("looking for up to %.0f s whether this is still at work: %s", WATCH_S, names)
    return {owner for owner, lives in seen.items() if lives is False} | _silent(instance, far)


def _silent(instance: dg.DagsterInstance, owners: set[Owner]) -> set[Owner]:
    """Those without a beat, watched together."""
    first, until = _beats(instance, owners), time.monotonic() + WATCH_S
    while owners and time.monotonic() < until:
        time.sleep(_POLL_S)
        now = _beats(instance, owners)
        owners = {owner for owner in owners if now.get(owner) == first.get(owner)}
    return owners


def _beats(instance: dg.DagsterInstance, owners: set[Owner]) -> dict[Owner, str]:
    found = instance.run_storage.get_cursor_values({_beat_key(owner) for owner in owners})
    return {owner: found.get(_beat_key(owner), "") for owner in owners}


# Alone --------------------------------------------------------------------------------------------


class Busy(Exception):
    """Another ingestion works on the same library."""


@contextmanager
def alone(instance: dg.DagsterInstance, what: str) -> Iterator[Owner]:
    """Be the only process that does this on the instance, from whatever machine.

    Raises:
        Busy: another one does, and lives.
    """
    key = f"kadr/alone/{what}"
    with beating(instance) as me:
        other = _holder(instance, key)
        if other is not None and other != me and not dead_among(instance, [other]):
            raise Busy(f"another {what} ({other}) is at work on this library")
        instance.run_storage.set_cursor_values({key: me.as_tag()})
        try:
            yield me
        finally:
            with suppress(Exception):  # its silence tells the same, later
                instance.run_storage.set_cursor_values({key: ""})


def _holder(instance: dg.DagsterInstance, key: str) -> Owner | None:
    return owner_of(instance.run_storage.get_cursor_values({key}).get(key, ""))


# Servers ------------------------------------------------------------------------------------------


def daemon_lives(instance: dg.DagsterInstance) -> bool:
    """Whether a Dagster daemon works on this instance: it empties the queue of runs and sees after
    those that died. A beat from the future is one of before the clock was set back."""
    beats = instance.get_daemon_heartbeats().values()
    return any(abs(time.time() - beat.timestamp) < _DAEMON_SILENT_S for beat in beats)
