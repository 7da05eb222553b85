"""Text on screen: what is read, what is left out, and how lines are joined over time.

Captions are drawn in the sample library's font, which has Latin and Russian letters.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from sklearn.datasets import load_sample_images

from ml.failures import ModelUnavailable
from ml.ocr import TextReader, load_reader
from ml.ocr.changes import glance, may_hold_new_text
from ml.ocr.engines import Reading, find_russian_data
from ml.ocr.merge import Line, LineMerger, TimedLine, ticker_join
from ml.ocr.script import looks_cyrillic, respelled, without_specks
from ml.schemas import FRAMES, OCR

FONT = Path(__file__).parents[3] / "samples" / "fonts" / "DejaVuSans-Bold-subset.ttf"
MODEL = "packaged:rapidocr"
BOX = (0.1, 0.8, 0.9, 0.9)
needs_russian_data = pytest.mark.skipif(
    find_russian_data() is None,
    reason="Tesseract's Russian data is not here; the package tesseract-ocr-rus brings it",
)


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return load_reader(MODEL, profile="embedded")


@pytest.fixture(scope="module")
def latin_only(tmp_path_factory: pytest.TempPathFactory) -> TextReader:
    nothing = tmp_path_factory.mktemp("no-tessdata")
    return load_reader(MODEL, profile="embedded", tessdata_dir=nothing)


@lru_cache(maxsize=1)
def background() -> Image.Image:
    return Image.fromarray(data.coffee()).resize((480, 270))


def captioned(text: str, y: int = 215, size: int = 24, x: int | None = None) -> Image.Image:
    picture = background().copy()
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT), size)
    left = (480 - font.getlength(text)) / 2 if x is None else x
    draw.text((left, y), text, "white", font, stroke_width=2, stroke_fill="black")
    return picture


def frames(pictures: Sequence[Image.Image], video_id: str = "v", first: int = 0) -> pa.RecordBatch:
    rows = []
    for i, picture in enumerate(pictures, start=first):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=85)
        width, height = picture.size
        rows.append(
            {
                "video_id": video_id,
                "frame_no": 25 * i,
                "start_s": float(i),
                "duration_s": 1.0,
                "is_shot_start": i == 0,
                "width": width,
                "height": height,
                "jpeg": out.getvalue(),
            }
        )
    return pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)


def lines(reader: TextReader, *batches: pa.RecordBatch) -> list[dict]:
    out = list(reader.read(iter(batches)))
    assert all(batch.schema.equals(OCR.schema, check_metadata=False) for batch in out)
    return [row for batch in out for row in batch.to_pylist()]


def spans(timed: Sequence[TimedLine]) -> list[tuple[float, float, str]]:
    return [(t.start_s, t.end_s, t.line.text) for t in timed]


# ---------------------------------------------------------------- pictures


def test_caption_that_stays_is_one_line(reader: TextReader) -> None:
    bare, shown = background(), captioned("Breaking news today")
    found = lines(reader, frames([bare, shown, shown, shown, bare]))
    assert [(r["start_s"], r["end_s"], r["text"]) for r in found] == [
        (1.0, 4.0, "Breaking news today")
    ]
    assert found[0]["confidence"] > 0.9
    assert found[0]["model"] == reader.model
    assert 0.7 < found[0]["y0"] < found[0]["y1"] < 1
    assert 0 < found[0]["x0"] < 0.5 < found[0]["x1"] < 1


def test_text_is_looked_for_only_where_the_picture_changed(latin_only: TextReader) -> None:
    before = latin_only.frame_count, latin_only.read_count
    lines(latin_only, frames([captioned("The same line")] * 6))
    assert latin_only.frame_count - before[0] == 6
    assert latin_only.read_count - before[1] == 1


def test_lines_are_numbered_by_start_and_then_from_top_to_bottom(latin_only: TextReader) -> None:
    both = captioned("Lower line")
    ImageDraw.Draw(both).text(
        (150, 30),
        "Upper line",
        "white",
        ImageFont.truetype(str(FONT), 24),
        stroke_width=2,
        stroke_fill="black",
    )
    found = lines(latin_only, frames([captioned("Lower line", y=120)]), frames([both], "w"))
    assert [(r["video_id"], r["line_no"], r["text"]) for r in found] == [
        ("v", 0, "Lower line"),
        ("w", 0, "Upper line"),
        ("w", 1, "Lower line"),
    ]


def test_video_that_spans_batches_is_one_video(latin_only: TextReader) -> None:
    shown = captioned("Across two batches")
    found = lines(latin_only, frames([shown] * 2), frames([shown] * 2, first=2))
    assert [(r["start_s"], r["end_s"]) for r in found] == [(0.0, 4.0)]


def test_photographs_without_text_give_no_lines(reader: TextReader) -> None:
    pictures = [getattr(data, n)() for n in ("astronaut", "coffee", "chelsea", "camera")]
    pictures += load_sample_images().images
    for picture in pictures:
        small = Image.fromarray(np.asarray(picture)).convert("RGB")
        small.thumbnail((640, 640))
        # The astronaut's suit carries a real badge: "NASA" would be no mistake.
        assert [r["text"] for r in lines(reader, frames([small])) if r["text"] != "NASA"] == []


@needs_russian_data
def test_russian_captions_are_read_with_tesseracts_data(reader: TextReader) -> None:
    shown = ["Срочные новости", "Спасибо за просмотр", "Глава первая: начало", "До новых встреч"]
    pictures = [frames([captioned(text)], text) for text in shown]
    read = {r["video_id"]: r["text"] for r in lines(reader, *pictures)}
    assert set(read) == set(shown)
    # Tesseract gets about one letter in a hundred wrong on such captions.
    alike = [SequenceMatcher(None, text, read[text]).ratio() for text in shown]
    assert min(alike) > 0.85
    assert sum(a == 1 for a in alike) >= 2
    assert "tesseract" in reader.model


@pytest.mark.parametrize("caption", ["Срочные новости", "Глава 12: начало", "Спасибо за просмотр!"])
def test_russian_caption_is_left_out_where_nothing_reads_it(
    latin_only: TextReader, caption: str
) -> None:
    assert lines(latin_only, frames([captioned(caption)])) == []
    assert "tesseract" not in latin_only.model


def test_workers_read_the_same(reader: TextReader) -> None:
    pictures = [captioned("First caption"), background(), captioned("Second caption")]
    two = load_reader(MODEL, profile="embedded", workers=2)
    assert lines(two, frames(pictures)) == lines(reader, frames(pictures))


def test_no_frames_give_no_rows(reader: TextReader) -> None:
    assert lines(reader) == []


@pytest.mark.parametrize("model_id", ["rapidocr:/nowhere/rec.onnx", "rapidocr:klingon", "easyocr"])
def test_recogniser_that_is_not_there_is_refused(model_id: str) -> None:
    with pytest.raises(ModelUnavailable, match="kadr models pull --profile base"):
        load_reader(model_id, profile="base")


def test_gpu_that_is_not_there_is_no_silent_cpu() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime has CUDA here")
    with pytest.raises(ModelUnavailable, match="no CUDA"):
        load_reader(MODEL, profile="full", device="cuda")


def test_file_that_is_no_recogniser_is_refused(tmp_path: Path) -> None:
    import rapidocr

    detector = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_det_small.onnx"
    with pytest.raises(ModelUnavailable, match="names no characters"):
        load_reader(f"rapidocr:{detector}", profile="base")
    damaged = tmp_path / "rec.onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match="no ONNX model"):
        load_reader(f"rapidocr:{damaged}", profile="base")


def test_recogniser_from_a_file_reads(tmp_path: Path) -> None:
    import shutil

    import rapidocr

    packaged = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_rec_small.onnx"
    file = Path(shutil.copy(packaged, tmp_path / "my_rec.onnx"))
    own = load_reader(f"rapidocr:{file}", profile="base")
    assert "my_rec@" in own.model
    assert [r["text"] for r in lines(own, frames([captioned("Read by file")]))] == ["Read by file"]


# ---------------------------------------------------------------- changes


def test_caption_that_comes_or_changes_is_noticed() -> None:
    bare, one, other = (
        glance(np.asarray(p)) for p in (background(), captioned("One"), captioned("Other"))
    )
    assert may_hold_new_text(bare, one)
    assert may_hold_new_text(one, other)
    assert may_hold_new_text(one, bare)


def test_noise_is_no_change() -> None:
    picture = np.asarray(captioned("Noise"))
    grain = np.random.default_rng(0).normal(0, 4, picture.shape)
    noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
    assert not may_hold_new_text(glance(picture), glance(noisy))


def test_other_picture_size_is_a_change() -> None:
    picture = np.asarray(background())
    assert may_hold_new_text(glance(picture), glance(picture[:100]))


# ---------------------------------------------------------------- lines over time


def test_line_missed_in_one_frame_stays_one() -> None:
    merger = LineMerger()
    for t, found in enumerate([["Hello world"], [], ["Hello world"]]):
        merger.add(t, 1, [Line(x, 0.9, BOX) for x in found])
    assert spans(merger.finish()) == [(0, 3, "Hello world")]


def test_line_that_comes_back_later_is_another() -> None:
    merger = LineMerger()
    for t, found in enumerate([["Hello world"], [], [], [], ["Hello world"]]):
        merger.add(t, 1, [Line(x, 0.9, BOX) for x in found])
    assert spans(merger.finish()) == [(0, 1, "Hello world"), (4, 5, "Hello world")]


def test_text_is_voted_by_confidence() -> None:
    merger = LineMerger()
    for t, (text, confidence) in enumerate([("He1lo world", 0.6), ("Hello world", 0.9)]):
        merger.add(t, 1, [Line(text, confidence, BOX)])
    (line,) = merger.finish()
    assert line.line.text == "Hello world"
    assert line.line.confidence == pytest.approx(0.9)


def test_other_text_in_the_same_place_is_another_line() -> None:
    merger = LineMerger()
    merger.add(0, 1, [Line("Good evening", 0.9, BOX)])
    merger.add(1, 1, [Line("Breaking news", 0.9, BOX)])
    assert spans(merger.finish()) == [(0, 1, "Good evening"), (1, 2, "Breaking news")]


def test_score_that_changes_is_another_line_and_a_clock_is_one() -> None:
    merger = LineMerger()
    clock = (0.0, 0.0, 0.1, 0.05)
    for t in range(3):
        merger.add(t, 1, [Line(f"Spartak {t} : 0", 0.9, BOX), Line(f"12:0{t}", 0.9, clock)])
    found = spans(merger.finish())
    assert [s for s in found if "Spartak" in s[2]] == [
        (0, 1, "Spartak 0 : 0"),
        (1, 2, "Spartak 1 : 0"),
        (2, 3, "Spartak 2 : 0"),
    ]
    assert [s[:2] for s in found if "12" in s[2]] == [(0, 3)]


def test_rolling_credits_are_one_line_each() -> None:
    merger = LineMerger()
    for t in range(4):
        y = 0.9 - 0.2 * t
        merger.add(t, 1, [Line("Directed by A. Petrov", 0.9, (0.3, y, 0.7, y + 0.05))])
    assert spans(merger.finish()) == [(0, 4, "Directed by A. Petrov")]


def test_ticker_is_one_line_with_all_its_text() -> None:
    whole = "Markets fell by four percent on Friday while oil and gold rose to a record high"
    merger = LineMerger()
    for t in range(6):
        merger.add(t, 1, [Line(whole[8 * t : 8 * t + 40], 0.9, (0, 0.9, 1, 0.95))])
    assert spans(merger.finish()) == [(0, 6, whole)]


def test_ticker_needs_one_band_and_a_seam() -> None:
    band, above = (0, 0.9, 1, 0.95), (0, 0.5, 1, 0.55)
    assert (
        ticker_join(Line("the long way home", 1, band), Line("way home from work", 1, above))
        is None
    )
    assert (
        ticker_join(Line("Next: the weather", 1, band), Line("Next: the football", 1, band)) is None
    )


def test_lines_stay_while_nothing_changes() -> None:
    merger = LineMerger()
    merger.add(0, 1, [Line("Hello world", 0.9, BOX)])
    merger.stay(1, 10)
    merger.add(11, 1, [])
    assert spans(merger.finish()) == [(0, 11, "Hello world")]


def test_memory_of_a_line_is_bounded() -> None:
    merger = LineMerger()
    for t in range(500):
        merger.add(t, 1, [Line("A station's logo", 0.9, BOX)])
    assert sum(len(kept) for kept in merger._open[0].readings.values()) <= 50


# ---------------------------------------------------------------- Cyrillic in Latin letters


def test_sparse_reading_looks_cyrillic() -> None:
    assert looks_cyrillic(Reading(", 1985", 0.97, density=0.67))
    assert looks_cyrillic(Reading("Mo pe3 peky B", 0.79, density=1.24))
    assert not looks_cyrillic(Reading("G a m e o v e r", 1.0, density=1.01))
    assert not looks_cyrillic(Reading("Best moments of the season", 0.998, density=1.4))


def test_russian_words_in_latin_look_alikes_are_respelled() -> None:
    assert respelled("XOP POCTOBA") == "ХОР РОСТОВА"
    for latin in ("TOP", "BMX", "NASA", "COMET", "Hello"):
        assert respelled(latin) == latin


def test_specks_are_no_text() -> None:
    assert without_specks("‚Завтра дождь`") == "Завтра дождь"
    assert without_specks(". .. . со") == ""
