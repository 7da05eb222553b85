"""What one download may take, and where it may go: sources that are not the person's own may lie.

A person names a host, a bucket or a local catalogue, and these are believed. What is believed no
further is where such a host redirects to and what a catalogue from the network names: neither may
reach this machine, its network or a cloud's metadata service.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assets.stores.pace import MIN_BYTES_PER_S, WINDOW_S, NotNow, Pace
from assets.stores.storage import OBJECT_SCHEMES, scheme_of
from ml.failures import PermanentFailure

_DISK_LOOKED_AT_BYTES = 16 << 20
_HOST = re.compile(r"(\*\.)?[\w.:-]+")
# IPv6 addresses that stand for IPv4 ones behind a translator (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Limits:
    """Bounds of one download; local files are read where they lie and know none.

    Attributes:
        max_bytes: 50 GB are six hours at 18 Mbit/s.
        min_bytes_per_s: a server that sends less, over `window_s` seconds, is left; 0 for any.
        min_free_bytes: what stays free on the disk that is downloaded to.
        allow_hosts: hosts, ``*.domain`` and ``s3://bucket`` that catalogues from the network may
            name and servers may redirect to, wherever they lie.
    """

    max_bytes: int = 50_000_000_000
    min_bytes_per_s: int = MIN_BYTES_PER_S
    window_s: float = WINDOW_S
    min_free_bytes: int = 1_000_000_000
    allow_hosts: tuple[str, ...] = ()

    def pace(self) -> Pace:
        """For one connection."""
        return Pace(self.min_bytes_per_s, self.window_s)

    def allows(self, place: str) -> bool:
        """Whether a host, or ``scheme://bucket``, is in `allow_hosts`."""
        return any(
            place.endswith(allowed[1:]) if allowed.startswith("*.") else place == allowed
            for allowed in self.allow_hosts
        )


DEFAULT_LIMITS = Limits()


def hosts_of(text: str) -> tuple[str, ...]:
    """The entries of ``KADR_ALLOW_HOSTS``, which commas separate.

    Raises:
        ValueError: one is neither a host, nor ``*.domain``, nor a bucket.
    """
    entries = tuple(entry.strip().removesuffix("/") for entry in text.split(",") if entry.strip())
    for entry in entries:
        scheme = scheme_of(entry)
        name = entry[len(scheme) + 3 :] if scheme in OBJECT_SCHEMES else entry
        if not _HOST.fullmatch(name):
            raise ValueError(
                "KADR_ALLOW_HOSTS: expected hosts such as media.example.org or *.example.org, or "
                f"buckets such as s3://films, without a path; found {entry!r}"
            )
    return tuple(entry if scheme_of(entry) else entry.lower() for entry in entries)


def is_inner(address: str) -> bool:
    """Whether an IP address is of this machine, its network, or none that the world can reach."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        within = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            within = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = within or ip
    return not ip.is_global or ip.is_multicast


def check_size(count: int, limits: Limits) -> None:
    """Raise for more bytes than are fetched.

    Raises:
        PermanentFailure: there are more; the file, or the setting, must change.
    """
    if count > limits.max_bytes:
        raise PermanentFailure(
            f"it is larger than {limits.max_bytes:,} bytes, the most that is fetched "
            "(KADR_MAX_SOURCE_BYTES)"
        )


def write_chunks(chunks: Iterable[bytes], target: Path, limits: Limits, promised: int = 0) -> int:
    """Write a body to a new file; how many bytes it has.

    Raises:
        PermanentFailure: it is, or says it is, too large.
        NotNow: the disk would be too full.
    """
    check_size(promised, limits)
    _check_room(target.parent, limits, promised)
    written = looked_at = 0
    with target.open("wb") as file:
        for chunk in chunks:
            written += len(chunk)
            check_size(written, limits)
            if written - looked_at > _DISK_LOOKED_AT_BYTES:
                _check_room(target.parent, limits, max(0, promised - written))
                looked_at = written
            file.write(chunk)
    return written


def _check_room(folder: Path, limits: Limits, to_come: int) -> None:
    free = shutil.disk_usage(folder).free
    if free - to_come < limits.min_free_bytes:
        raise NotNow(
            f"the disk for scratch files has {free:,} bytes left, and {limits.min_free_bytes:,} "
            "are to stay free (KADR_MIN_FREE_BYTES)"
        )
