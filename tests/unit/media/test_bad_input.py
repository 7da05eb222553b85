"""Every kind of file that turns up in a real library: it costs its own row, or it just works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ml.failures import Filtered, PermanentFailure, RetryableFailure
from ml.media.extract import Extracted, ExtractOptions, Source, extract, spooled
from ml.workers import run_tasks
from tests.unit.media.clips import moving_box, scene, tone, write_clip

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.mkdir()
    return path


def run(path: Path | str, spool: Path) -> Extracted:
    found = extract(Source("v", str(path)), spool, ExtractOptions())
    frames = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    assert len(frames) == found.kept_frame_count >= 1
    assert sum(f["duration_s"] for f in frames) == pytest.approx(found.duration_s)
    return found


def cut_to(path: Path, share: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def remuxed(source: Path, path: Path, change: Callable[[av.Packet], av.Packet | None]) -> Path:
    """``source`` copied packet by packet, each as ``change`` leaves it (None: left out)."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            changed = change(packet) if packet.dts is not None else None
            if changed is not None:
                changed.stream = streams[packet.stream.index]
                out.mux(changed)
    return path


def noisy(index: int) -> np.ndarray:
    """Pictures that need many bytes, so that a cut falls into a picture."""
    return np.random.default_rng(index).integers(0, 256, (180, 320, 3)).astype(np.uint8)


# ---------------------------------------------------------------- no video in it


def test_empty_file(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.touch()
    with pytest.raises(PermanentFailure, match="empty"):
        run(path, spool)


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


def test_audio_only(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", None, sound=tone(1.0))
    with pytest.raises(Filtered, match="no video stream: sound only"):
        run(path, spool)


def test_song_with_cover_art_is_no_video(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(scene(1, (64, 64)), format="rgb24")
        out.mux(cover.encode(picture.reformat(format="yuvj420p", dst_color_range="JPEG")))
        out.mux(cover.encode(None))
        samples = np.ascontiguousarray(tone(1.0).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    with pytest.raises(Filtered, match="no video stream: sound only"):
        run(path, spool)


def test_picture_named_mp4_is_no_video(tmp_path: Path, spool: Path) -> None:
    from PIL import Image

    path = tmp_path / "x.mp4"
    Image.fromarray(scene(1)).save(path, "JPEG")
    with pytest.raises(Filtered, match="still picture"):
        run(path, spool)


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4"])
def test_video_stream_without_packets(tmp_path: Path, spool: Path, name: str) -> None:
    whole = write_clip(tmp_path / "whole.mp4", frames=5, sound=tone(0.5))
    path = remuxed(whole, tmp_path / name, lambda p: p if p.stream.type == "audio" else None)
    with pytest.raises((PermanentFailure, Filtered), match=r"no frame .* empty|no video stream"):
        run(path, spool)


# ---------------------------------------------------------------- broken files


def test_truncated_with_its_index_gives_what_is_there_and_a_warning(
    tmp_path: Path, spool: Path
) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=60, faststart=True, sound=tone(6.0))
    found = run(cut_to(path, 0.5), spool)
    assert 10 < found.frame_count < 50
    assert "truncated" in found.warning or "breaks off" in found.warning


def test_truncated_without_its_index_is_told_apart_from_no_video(
    tmp_path: Path, spool: Path
) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=20)
    with pytest.raises(PermanentFailure, match=r"index \(moov\) is missing"):
        run(cut_to(path, 0.5), spool)


@pytest.mark.parametrize("name", ["x.mkv", "x.ts", "x.avi", "x.mpg"])
def test_file_that_ends_in_the_middle_of_a_frame(tmp_path: Path, spool: Path, name: str) -> None:
    codec = {"x.avi": "mpeg4", "x.mpg": "mpeg2video"}.get(name, "libx264")
    fps = 25 if name == "x.mpg" else 10
    path = write_clip(tmp_path / name, noisy, frames=30, fps=fps, codec=codec)
    found = run(cut_to(path, 0.713), spool)
    assert 5 < found.frame_count < 30


def test_damage_in_the_middle_does_not_end_the_video(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=40, options={"g": "10"}, sound=tone(4.0))
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 60_000] = np.random.default_rng(0).bytes(60_000)
    path.write_bytes(whole)
    found = run(path, spool)
    assert found.frame_count > 25
    assert found.duration_s > 3.5


def test_broken_sound_leaves_the_pictures(tmp_path: Path, spool: Path) -> None:
    def spoilt(packet: av.Packet) -> av.Packet:
        if packet.stream.type == "video" or not packet.pts or packet.pts < 500:
            return packet
        garbage = av.Packet(b"\xff" * packet.size)
        garbage.pts, garbage.dts = packet.pts, packet.dts
        garbage.time_base, garbage.stream = packet.time_base, packet.stream
        return garbage

    whole = write_clip(tmp_path / "whole.mkv", frames=20, sound=tone(2.0))
    found = run(remuxed(whole, tmp_path / "x.mkv", spoilt), spool)
    assert found.frame_count == 20
    assert found.has_audio
    assert "damaged sound packets" in found.warning


def test_pictures_that_cannot_be_decoded_say_why(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", noisy, frames=10)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 4
    end = whole.index(b"moov") - 4 if whole.index(b"moov") > start else len(whole)
    whole[start:end] = bytes(end - start)
    path.write_bytes(whole)
    with pytest.raises(PermanentFailure, match=r"no frame could be decoded: \w"):
        run(path, spool)


# ---------------------------------------------------------------- odd but good


def test_video_only(tmp_path: Path, spool: Path) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=20), spool)
    assert (found.has_audio, found.audio_codec, found.warning) == (False, "", "")


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.avi"])
def test_one_frame(tmp_path: Path, spool: Path, name: str) -> None:
    codec = "mpeg4" if name == "x.avi" else "libx264"
    found = run(write_clip(tmp_path / name, frames=1, codec=codec), spool)
    assert (found.frame_count, found.kept_frame_count) == (1, 1)
    assert 0 < found.duration_s <= 1


@pytest.mark.parametrize("fps", [0.2, 1000])
def test_absurd_frame_rate(tmp_path: Path, spool: Path, fps: float) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=10, fps=fps), spool)
    assert found.frame_count == 10
    assert found.fps == pytest.approx(fps, rel=0.15)


def test_header_that_states_no_or_a_wild_frame_rate(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.avi", frames=10, codec="mpeg4")
    whole = bytearray(path.read_bytes())
    strh = whole.index(b"strh") + 8
    whole[strh + 20 : strh + 28] = bytes(8)  # dwScale and dwRate of the AVI stream header
    avih = whole.index(b"avih") + 8
    whole[avih : avih + 4] = bytes(4)  # dwMicroSecPerFrame
    path.write_bytes(whole)
    found = run(path, spool)
    assert found.frame_count == 10
    assert 0.01 <= found.fps <= 1000


def test_variable_frame_rate(tmp_path: Path, spool: Path) -> None:
    times = [0.0, 0.02, 0.04, 1.0, 1.5, 3.25, 3.3, 6.0]
    path = write_clip(tmp_path / "x.mp4", lambda i: scene(i), times_s=times)
    found = run(path, spool)
    frames = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    starts = [f["start_s"] for f in frames]
    assert {0.0, 6.0} <= {round(s, 2) for s in starts} <= set(times)
    assert found.duration_s == pytest.approx(6.0, abs=1.01)


def test_rotated(tmp_path: Path, spool: Path) -> None:
    found = run(write_clip(tmp_path / "x.mp4", frames=5, rotation=-90), spool)
    assert (found.width, found.height, found.rotation_deg) == (180, 320, 90)


@pytest.mark.parametrize("size", [(319, 179), (33, 17), (16, 400), (2, 2)])
def test_odd_sizes(tmp_path: Path, spool: Path, size: tuple[int, int]) -> None:
    path = write_clip(
        tmp_path / "x.mp4", lambda i: moving_box(i, size), frames=5, pix_fmt="yuv444p"
    )
    found = run(path, spool)
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p10le"),
        ("libx264", "yuv444p"),
        ("libx264", "yuv422p"),
        ("libx265", "yuv420p10le"),
        ("libx264rgb", "rgb24"),
        ("libvpx-vp9", "yuv420p"),
        ("ffv1", "gray16le"),
        ("mjpeg", "yuvj420p"),
        ("mpeg4", "yuv420p"),
    ],
)
def test_codecs_and_pixel_formats(tmp_path: Path, spool: Path, codec: str, pix_fmt: str) -> None:
    path = write_clip(tmp_path / "x.mkv", frames=10, codec=codec, pix_fmt=pix_fmt)
    found = run(path, spool)
    assert found.frame_count == 10
    assert found.pixel_format in (pix_fmt, "gbrp")


def test_8k(tmp_path: Path, spool: Path) -> None:
    picture = np.tile(scene(1, (480, 270)), (16, 16, 1))
    options = {"preset": "ultrafast", "g": "1"}
    path = write_clip(tmp_path / "x.mp4", lambda _: picture, frames=2, options=options)
    found = run(path, spool)
    assert (found.width, found.height, found.frame_count) == (7680, 4320, 2)
    (frame, *_) = [row for batch in spooled(spool, "frames") for row in batch.to_pylist()]
    assert max(frame["width"], frame["height"]) == ExtractOptions().max_side


def test_sizes_that_change_midway(tmp_path: Path, spool: Path) -> None:
    small = write_clip(tmp_path / "s.ts", frames=10)
    large = write_clip(tmp_path / "l.ts", lambda i: moving_box(i, (640, 360)), frames=10)
    path = tmp_path / "x.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    found = run(path, spool)
    assert found.frame_count == 20
    assert 1.9 < found.duration_s < 3.0


def test_sound_that_starts_late_or_ends_early(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mkv", frames=40, sound=tone(1.0), sound_codec="flac")
    found = run(path, spool)
    assert found.has_audio
    assert found.duration_s == pytest.approx(4.0, abs=0.01)
    assert found.warning == ""


# ---------------------------------------------------------------- names


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


def test_names_survive_the_way_to_a_worker(tmp_path: Path, spool: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n'.mp4")
    Path(write_clip(tmp_path / "a.mp4", frames=3)).rename(path)
    (outcome,) = run_tasks(count_frames, [(path, str(spool))], workers=1, limit_s=60)
    assert outcome.value == 3


def count_frames(task: tuple[str, str]) -> int:
    return extract(Source("v", task[0]), task[1], ExtractOptions()).frame_count


# ---------------------------------------------------------------- no plain file


def test_directory_named_mp4(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.mkdir()
    with pytest.raises(PermanentFailure, match="a directory, not a file"):
        run(path, spool)


def test_broken_symlink(tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "x.mp4"
    path.symlink_to("gone.mp4")
    with pytest.raises(PermanentFailure, match=r"broken symbolic link, to 'gone\.mp4'"):
        run(path, spool)


def test_missing_file(tmp_path: Path, spool: Path) -> None:
    with pytest.raises(PermanentFailure, match="does not exist"):
        run(tmp_path / "x.mp4", spool)


def test_named_pipe_is_not_waited_for(tmp_path: Path, spool: Path) -> None:
    os.mkfifo(tmp_path / "x.mp4")
    with pytest.raises(PermanentFailure, match="not a regular file"):
        run(tmp_path / "x.mp4", spool)


def test_no_permission(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", frames=1)
    path.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(PermanentFailure, match="no permission"):
            run(path, spool)
        return
    # root may read everything: ask as nobody, in a process of its own
    code = (
        "import os, sys\n"
        "from ml.media.extract import _opened\n"
        "from ml.failures import PermanentFailure\n"
        "directory = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.fchdir(directory)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    with _opened('x.mp4'): print('read it')\n"
        "except PermanentFailure as failure: print(failure)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "no permission" in answer.stdout


# ---------------------------------------------------------------- changes, attacks


def change_while_read(path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Change the file at the moment its first picture is decoded."""
    from ml.media.decode import PyavReader

    events = PyavReader.events

    def changing(self: PyavReader) -> Iterator[object]:
        stream = events(self)
        yield next(stream)
        if change == "append":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "replace":
            other = path.with_suffix(".new")
            other.write_bytes(path.read_bytes())
            other.replace(path)
        else:
            path.unlink()
        yield from stream

    monkeypatch.setattr(PyavReader, "events", changing)


@pytest.mark.parametrize("change", ["append", "replace", "delete"])
def test_file_that_changes_while_it_is_read_is_read_again_later(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = write_clip(tmp_path / "x.mp4", frames=5)
    change_while_read(path, monkeypatch, change)
    with pytest.raises(RetryableFailure, match="changed while it was read"):
        run(path, spool)


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


def test_frame_rates_that_are_no_numbers_are_not_believed(tmp_path: Path, spool: Path) -> None:
    path = write_clip(tmp_path / "x.h264", frames=10, container="h264", aspect=Fraction(1, 1))
    found = run(path, spool)
    assert found.frame_count == 10
    assert found.duration_s == pytest.approx(10 / found.fps)
