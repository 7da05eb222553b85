"""A file that is no video says why, whatever it is called; it reaches no other file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ml.failures import Filtered, PermanentFailure, RetryableFailure
from ml.media.containers import open_container
from ml.media.extract import ExtractOptions, Source, extract
from tests.unit.media.clips import (
    cut_to,
    moving_box,
    noisy,
    scene,
    write_clip,
)
from tests.unit.media.passes import run


@pytest.mark.parametrize(
    "content",
    [
        b"This is no video.\n" * 100,
        b"\x1b[31mansi\x1b[0m\r\n" * 200,
        b"1\n00:00:01,000 --> x\nHi\n",
    ],
)
def test_text_named_mp4(tmp_path: Path, spool: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises((PermanentFailure, Filtered), match=r"not a video|no video stream"):
        run(path, spool)


def test_random_bytes(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(PermanentFailure, match="not a video"):
        run(path, spool)


def test_picture_named_mp4_is_no_video(tmp_path: Path, spool: Path) -> None:
    from PIL import Image

    path = tmp_path / "x.mp4"
    Image.fromarray(scene(1)).save(path, "JPEG")
    with pytest.raises(Filtered, match="still picture"):
        run(path, spool)


def test_truncated_without_its_index_is_told_apart_from_no_video(
    tmp_path: Path, spool: Path
) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=20)
    with pytest.raises(PermanentFailure, match=r"index \(moov\) is missing"):
        run(cut_to(path, 0.5), spool)


# FFmpeg calls the first EIO, the second EOF, the third EPERM.
@pytest.mark.parametrize(
    ("name", "codec", "bytes_left", "why"),
    [
        ("x.mkv", "libx264", 100, "breaks off in the middle of its structure"),
        ("x.webm", "libvpx", 100, "breaks off in the middle of its structure"),
        ("x.mkv", "libx264", 40, "ends before there is a picture"),
        ("x.wmv", "wmv2", 300, "its header is damaged"),
        ("x.ts", "libx264", 64, "Invalid data found"),
    ],
)
def test_file_cut_before_its_tracks_is_bad_for_good_and_says_so(
    tmp_path: Path, spool: Path, name: str, codec: str, bytes_left: int, why: str
) -> None:
    path = write_clip(tmp_path / name, frames=2, codec=codec)
    path.write_bytes(path.read_bytes()[:bytes_left])
    with pytest.raises(PermanentFailure, match=f"not a video that can be read: .*{why}"):
        run(path, spool)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file that gives EIO")
def test_disk_that_fails_is_no_fault_of_the_file() -> None:
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)  # EIO where no memory is mapped: at 0
    try:
        with pytest.raises(RetryableFailure, match="the disk failed 0 bytes into the file"):
            open_container(descriptor)
    finally:
        os.close(descriptor)


def test_packet_of_a_stream_that_the_header_lacks_is_passed_over(
    tmp_path: Path, spool: Path
) -> None:
    """As in a damaged FLV: it announces pictures alone, and holds a sound tag."""
    path = write_clip(tmp_path / "x.flv", lambda i: moving_box(i, (64, 36)), frames=60, codec="flv")
    sound = b"\x2f\xff\xfb\x90\x64" + bytes(413)  # MP3
    header = b"\x08" + len(sound).to_bytes(3, "big") + b"\x00\x03\xe8" + bytes(4)
    with path.open("ab") as file:
        file.write(header + sound + (len(sound) + 11).to_bytes(4, "big"))
    assert run(path, spool).frame_count == 60


@pytest.mark.parametrize(
    "name",
    [
        "with spaces .mp4",
        "new\nline.mp4",
        'quote\'s "and" `ticks` $(touch x).mp4',
        "Кадр №1.mp4",
        b"not utf-8 \xff\xfe.mp4",
        "concat:a|b.mp4",
        "http:x.mp4",
        "-i.mp4",
        "100%d.mp4",
        "no extension",
    ],
)
@pytest.mark.parametrize("reader", ["pyav", "decord"])
def test_any_name_is_only_a_name(
    tmp_path: Path, spool: Path, name: str | bytes, reader: str
) -> None:
    if reader == "decord":
        pytest.importorskip("decord")
    plain = write_clip(tmp_path / "plain.mp4", frames=3)
    path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))  # noqa: PTH118 (bytes)
    os.rename(plain, path)  # noqa: PTH104 (bytes)
    source = Source("v", os.fsdecode(path))
    assert extract(source, spool, ExtractOptions(reader=reader)).frame_count == 3


@pytest.mark.parametrize("reader", ["pyav", "decord"])
@pytest.mark.parametrize("kind", ["m3u8", "concat"])
def test_playlist_dressed_up_as_a_video_reaches_no_other_file(
    tmp_path: Path, spool: Path, kind: str, reader: str
) -> None:
    secret = write_clip(tmp_path / "secret.ts", frames=5)
    playlist = {
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{secret.name}'\n",
    }
    path = tmp_path / "x.mp4"
    path.write_text(playlist[kind])
    with pytest.raises((PermanentFailure, Filtered)):
        extract(Source("v", str(path)), spool, ExtractOptions(reader=reader))
