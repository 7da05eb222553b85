"""Small clips for tests, drawn and encoded on the spot with PyAV. Nothing is shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
SIZE = (320, 180)


def scene(seed: int, size: tuple[int, int] = SIZE) -> Picture:
    """A still picture of 40 coloured boxes, other ones for other seeds: ``uint8[h, w, 3]``."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = rng.integers(30, 200, 3)
    for _ in range(40):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(width // 16 + 1, width // 4 + 2), rng.integers(1, height // 4 + 2)
        picture[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return picture


def moving_box(index: int, size: tuple[int, int] = SIZE) -> Picture:
    """A white box that wanders over scene 1, 7 pixels a frame."""
    picture = scene(1, size).copy()
    width, height = size
    left = (index * 7) % max(1, width - width // 4)
    picture[height // 3 : height // 3 + height // 3, left : left + width // 4] = 255
    return picture


def corner_marked(size: tuple[int, int] = SIZE) -> Picture:
    """Red in the top left quarter, blue in the bottom right one, grey elsewhere."""
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 2, : width // 2] = (220, 20, 20)
    picture[height // 2 :, width // 2 :] = (20, 20, 220)
    return picture


def captioned(picture: Picture, text: str, share: float = 0.04) -> Picture:
    """``picture`` with a line of white text, ``share`` of its height, near the bottom."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture)
    height = picture.shape[0]
    font = ImageFont.load_default(size=height * share)
    ImageDraw.Draw(image).text((height // 8, height * 0.85), text, fill="white", font=font)
    return np.asarray(image)


def tone(seconds: float, rate: int = 48_000, hz: float = 440.0, channels: int = 2) -> Any:
    """``int16[channels, n]`` of a sine at half of full scale."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (np.sin(2 * np.pi * hz * time) * 16384).astype(np.int16)
    return np.tile(wave, (channels, 1))


def write_clip(
    path: Path | str,
    picture: Callable[[int], Picture] | None = moving_box,
    *,
    frames: int = 20,
    fps: float = 10,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    sound: Any = None,
    sound_codec: str = "aac",
    sound_rate: int = 48_000,
    sound_layout: str = "stereo",
    times_s: Sequence[float] | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    faststart: bool = False,
    container: str | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Encode ``picture(0..frames-1)`` and ``sound`` (``int16[channels, n]``) into ``path``.

    ``times_s`` stamps the pictures one by one (variable frame rate). ``rotation`` is the display
    matrix's, counter-clockwise as in ``VideoFrame.rotation``.
    """
    movflags = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", format=container, options=movflags) as out:
        video = audio = None
        if picture is not None:
            video = _add_video(out, picture(0), fps, codec, pix_fmt, options, aspect)
            if rotation is not None or mirrored:
                video.set_display_rotation(rotation or 0, hflip=mirrored)
        if sound is not None:
            audio = out.add_stream(sound_codec, rate=sound_rate, layout=sound_layout)
        if audio is not None:
            _encode_sound(out, audio, sound, sound_rate, sound_layout)
        if video is not None and picture is not None:
            stamps = times_s or [index / fps for index in range(frames)]
            for index, stamp in enumerate(stamps):
                frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
                frame = frame.reformat(format=pix_fmt)
                frame.pts, frame.time_base = round(stamp * 90_000), Fraction(1, 90_000)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
    return Path(path)


def _add_video(
    out: Any,
    first: Picture,
    fps: float,
    codec: str,
    pix_fmt: str,
    options: dict[str, str] | None,
    aspect: Fraction | None,
) -> Any:
    quick = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast"}}
    quick["libx265"]["x265-params"] = "log-level=none:pools=1"
    video = out.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
    video.height, video.width = first.shape[:2]
    video.pix_fmt = pix_fmt
    video.codec_context.thread_count = 1
    if not codec.startswith("mpeg"):  # these allow no finer clock than 1/65535 s
        video.codec_context.time_base = Fraction(1, 90_000)
    video.options = {**quick.get(codec, {}), **(options or {})}
    if aspect is not None:
        video.codec_context.sample_aspect_ratio = aspect
    return video


def _encode_sound(out: Any, audio: Any, sound: Any, rate: int, layout: str) -> None:
    packed = np.ascontiguousarray(sound.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    out.mux(audio.encode(frame))
    out.mux(audio.encode(None))


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
