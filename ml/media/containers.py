"""Opening a file as a container, and its packets; a file that is none says why, in words.

FFmpeg is given an open file descriptor and never a name, with every protocol but that descriptor
refused: no file name can be taken for a URL, and a playlist dressed up as a video reaches neither
the network nor other files.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ml.failures import Filtered, PermanentFailure, RetryableFailure, failure_from
from ml.media.damage import Damage, reason_of
from ml.media.source_file import check_readable

if TYPE_CHECKING:
    from av.container import InputContainer

_STILL_CONTAINERS = ("image2", "_pipe", "tty")


def open_container(descriptor: int) -> InputContainer:
    """The container in an open, regular file, from its first byte; the caller closes it.

    Raises:
        PermanentFailure: there is none that can be read; says why.
        RetryableFailure: reading failed, not the file.
        Filtered: it holds a still picture or text.
    """
    import av

    os.lseek(descriptor, 0, os.SEEK_SET)
    options = {"fd": str(descriptor), "protocol_whitelist": "fd"}
    try:
        container = av.open("fd:", container_options=options, metadata_errors="ignore")
    except av.error.FFmpegError as error:
        _check_fault(descriptor, error)
        raise PermanentFailure(_why_unreadable(descriptor, error)) from error
    if any(name in container.format.name for name in _STILL_CONTAINERS):
        container.close()
        raise Filtered("a still picture or text, not a video")
    return container


def _check_fault(descriptor: int, error: BaseException) -> None:
    """Raise where the machine is at fault, not the file.

    FFmpeg's parsers use the numbers of the system's own errors for what they find in a file: one
    of Matroska that is cut before its tracks is EIO (24 of 30 cuts). So the file itself is asked.
    """
    failure = failure_from(error)
    if isinstance(error, MemoryError):
        raise failure from error
    if isinstance(failure, RetryableFailure):
        check_readable(descriptor)


def _why_unreadable(descriptor: int, error: BaseException) -> str:
    if _lacks_index(descriptor):
        return (
            "the index (moov) is missing: the file is truncated, or was still being written. "
            "Copy it again from its source"
        )
    return f"not a video that can be read: {reason_of(error)}"


def _lacks_index(descriptor: int) -> bool:
    """Whether this is an MP4/MOV without its ``moov`` box (ISO/IEC 14496-12, section 4.2)."""
    size, offset = os.fstat(descriptor).st_size, 0
    kinds: list[bytes] = []
    while offset + 8 <= size and len(kinds) < 64:
        length, kind = struct.unpack(">I4s", os.pread(descriptor, 8, offset))
        if length == 1:  # a 64 bit length follows
            length = int.from_bytes(os.pread(descriptor, 8, offset + 8), "big")
        kinds.append(kind)
        offset += length if length >= 8 else size
    return kinds[:1] == [b"ftyp"] and b"moov" not in kinds


def packets_of(
    descriptor: int, container: InputContainer, streams: list[Any], broken: Damage
) -> Iterator[Any]:
    """Packets of ``streams`` that hold data, in file order; all other streams are discarded.

    An unreadable rest ends the file and is noted in ``broken``. ``descriptor`` is that of the file.

    Raises:
        RetryableFailure: reading failed, not the file.
    """
    import av

    for stream in container.streams:
        if stream not in streams:
            stream.discard = av.stream.Discard.all
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:
            # A damaged FLV or TS has packets of streams that its header does not have, on which
            # PyAV's iterator ends. Another one goes on behind that packet.
            packets = container.demux(*streams)
            continue
        except av.error.FFmpegError as error:
            _check_fault(descriptor, error)
            broken.note(error)
            return
        if packet.size:
            yield packet
