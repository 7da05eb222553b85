from __future__ import annotations

import gc
import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from ml.failures import Filtered, VideoFailure
from ml.media.extract import Extracted, ExtractOptions, limit_s
from ml.media.sound import encode_flac
from ml.schemas import VIDEOS
from tests.unit.media.clips import captioned, scene, tone, write_clip
from tests.unit.media.passes import pass_over


def test_extracted_fields_are_columns_of_videos() -> None:
    columns = set(VIDEOS.schema.names)
    fields = set(Extracted.__dataclass_fields__)
    fields.remove("decode_s")  # for the asset's metadata: a table must not differ by run
    about_the_file = "video_id uri published_at title description tags licensed source_version"
    about_the_outcome = "status failure_kind error"
    assert columns - fields == {*about_the_file.split(), *about_the_outcome.split()}


def test_one_pass_gives_frames_motion_sound_and_the_ledger_row(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=30, sound=tone(3.0))
    found, rows = pass_over(path)
    assert (found.width, found.height, found.rotation_deg) == (320, 180, 0)
    assert (found.container, found.video_codec) == ("mov,mp4,m4a,3gp,3g2,mj2", "h264")
    assert (found.audio_codec, found.pixel_format) == ("aac", "yuv420p")
    assert (found.frame_count, found.kept_frame_count, found.plain_1fps_frame_count) == (30, 3, 3)
    assert found.duration_s == pytest.approx(3.0)
    assert found.fps == pytest.approx(10.0)
    assert found.has_audio
    assert found.warning == ""
    assert found.source_bytes == path.stat().st_size
    assert found.content_hash == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    assert found.decoder.startswith("pyav ")
    assert found.decode_s > 0
    assert {row["video_id"] for name in rows for row in rows[name]} == {"v1"}


@pytest.mark.parametrize("frames", [1, 2, 7, 33])
def test_durations_add_up_to_the_length(tmp_path: Path, frames: int) -> None:
    found, rows = pass_over(write_clip(tmp_path / "a.mp4", frames=frames))
    assert sum(f["duration_s"] for f in rows["frames"]) == pytest.approx(found.duration_s)
    assert found.duration_s == pytest.approx(frames / 10, abs=0.005)
    ends = [f["start_s"] + f["duration_s"] for f in rows["frames"]]
    assert ends[:-1] == pytest.approx([f["start_s"] for f in rows["frames"][1:]])


def test_cut_is_marked_within_an_eighth_of_a_second(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", lambda i: scene(1 if i < 24 else 2), frames=40)
    _, rows = pass_over(path)
    assert [f["start_s"] for f in rows["frames"] if f["is_shot_start"]] == [0, 2.5]


def test_small_caption_on_a_still_picture_is_not_lost(tmp_path: Path) -> None:
    plain = scene(3, (640, 360))
    written = captioned(plain, "Open every day from 9 to 17")

    def picture(index: int) -> np.ndarray:
        return written if 23 <= index < 50 else plain

    for crf in ("18", "33"):
        path = write_clip(tmp_path / f"{crf}.mp4", picture, frames=80, options={"crf": crf})
        found, rows = pass_over(path)
        shown = [f["frame_no"] for f in rows["frames"]]
        assert any(23 <= frame_no < 26 for frame_no in shown)
        assert any(50 <= frame_no < 53 for frame_no in shown)
        assert found.kept_frame_count < found.plain_1fps_frame_count


def test_still_video_keeps_one_frame_in_ten_seconds(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", lambda _: scene(1), frames=125, fps=5)
    found, rows = pass_over(path)
    assert [f["start_s"] for f in rows["frames"]] == pytest.approx([0, 10, 20])
    assert (found.kept_frame_count, found.plain_1fps_frame_count) == (3, 25)


def test_too_short_and_too_long_videos_are_filtered(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=20)
    with pytest.raises(Filtered, match=r"2\.00 s long; at least 5 s"):
        pass_over(path, min_duration_s=5.0)
    (tmp_path / "a-spool").rename(tmp_path / "other")
    with pytest.raises(Filtered, match=r"2\.0 s long; the limit is 1 s"):
        pass_over(path, max_duration_s=1.0)


def test_length_that_only_decoding_shows_is_filtered_too(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.h264", frames=50, container="h264")
    with pytest.raises(Filtered, match="longer than the limit of 1 s"):
        pass_over(path, max_duration_s=1.0)


def test_a_file_that_is_filtered_is_let_go_of_at_once(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=20)
    sound_alone = tmp_path / "b.flac"
    sound_alone.write_bytes(encode_flac(np.zeros(16000, np.int16)))
    gc.disable()  # which would close them, some time later
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for file in (path, sound_alone):
            with pytest.raises(VideoFailure):
                pass_over(file, max_duration_s=1.0)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        gc.enable()


def test_decord_gives_the_same_rows_as_pyav(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    path = write_clip(tmp_path / "a.mp4", frames=25, sound=tone(2.5))
    _, expected = pass_over(path)
    path = path.rename(tmp_path / "b.mp4")
    found, rows = pass_over(path, reader="decord")
    assert found.decoder.startswith("decord ")
    for name in ("frames", "motion", "audio"):
        assert len(rows[name]) == len(expected[name])
    keys = ("frame_no", "start_s", "duration_s", "is_shot_start", "width", "height")
    assert [[f[k] for k in keys] for f in rows["frames"]] == [
        [pytest.approx(f[k], abs=1e-3) for k in keys] for f in expected["frames"]
    ]
    assert rows["audio"] == expected["audio"]


def test_maker_names_every_option() -> None:
    maker = ExtractOptions().maker
    assert all(f"{name}={value}" in maker for name, value in asdict(ExtractOptions()).items())
    assert ExtractOptions(max_side=640).maker != maker


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="no reader 'vhs'"):
        ExtractOptions(reader="vhs")
    with pytest.raises(ValueError, match="at most motion_fps"):
        ExtractOptions(frame_rate=9.0)


def test_time_limit_grows_with_the_file() -> None:
    assert limit_s(0) == 600
    assert limit_s(100_000_000) == 2600
