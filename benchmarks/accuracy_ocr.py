"""How well the embedded profile reads text: character error rate (CER), noise, and cost.

    python -m benchmarks.accuracy_ocr [--media ../shared/media]

Real pictures (two, from Tesseract's and RapidOCR's own test sets) and captions drawn over
photographs of scikit-image, in the sample library's font: one bold sans face, 640 x 360, JPEG
quality 85. Drawn captions are easier than what broadcasters draw; take them as an upper bound.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks import MEDIA
from ml.schemas import FRAMES

if TYPE_CHECKING:
    from ml.ocr import TextReader

ROOT = Path(__file__).parents[1]
FONT = ROOT / "samples" / "fonts" / "DejaVuSans-Bold-subset.ttf"
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "camera")
FRAME_SIZE = (640, 360)
LATIN = "Alphabetum in mundo hodie frequentissime adhibitum est alphabetum Latinum."
PHOTOTEST = (
    "This is a lot of 12 point text to test the ocr code and see if it works on all types of "
    "file format. The quick brown dog jumped over the lazy fox. The quick brown dog jumped over "
    "the lazy fox. The quick brown dog jumped over the lazy fox. The quick brown dog jumped over "
    "the lazy fox."
)

_SUBJECTS = {
    "en": "The weather,Our team,A new museum,The old bridge,My family,This recipe,"
    "The last train,Every student,The city council,One small step",
    "ru": "Погода,Наша команда,Новый музей,Старый мост,Моя семья,Этот рецепт,"
    "Последний поезд,Каждый студент,Городской совет,Первый шаг",
}
_ENDS = {
    "en": "opens tomorrow at 9 am,is back in London,was seen from space,won the final 3 to 1,"
    "needs more sugar,starts a new season,will surprise you,costs 25 dollars,"
    "never looked better,changes everything",
    "ru": "откроется завтра в 9 часов,снова в Москве,видели из космоса,победа со счётом 3 на 1,"
    "и немного сахара,начинает новый сезон,удивит каждого,всего за 25 рублей,"
    "как никогда хорош,меняет всё вокруг",
}


@dataclass(frozen=True)
class Score:
    """One line of the table."""

    what: str
    pictures: int
    cer: float
    stored: int
    cpu_s_per_picture: float


def captions(language: str) -> list[str]:
    """A hundred different captions."""
    pairs = [(s, e) for s in _SUBJECTS[language].split(",") for e in _ENDS[language].split(",")]
    return [f"{subject} {end}" for subject, end in pairs]


def drawn(text: str, seed: int) -> bytes:
    """A JPEG of a caption over a photograph: outlined or on a plate, 16 to 32 px high."""
    from PIL import Image, ImageDraw, ImageFont
    from skimage import data

    chance = random.Random(seed)
    photograph = np.asarray(getattr(data, chance.choice(PHOTOGRAPHS))())
    picture = Image.fromarray(photograph).convert("RGB").resize(FRAME_SIZE)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(FONT), chance.choice((16, 20, 24, 28, 32)))
    while font.getlength(text) > 0.94 * FRAME_SIZE[0]:
        font = font.font_variant(size=font.size - 1)
    x, y = (FRAME_SIZE[0] - font.getlength(text)) / 2, chance.choice((30, 170, 300))
    on_plate = chance.random() < 0.3
    if on_plate:
        left, top, right, bottom = draw.textbbox((x, y), text, font)
        draw.rectangle((left - 6, top - 5, right + 6, bottom + 5), fill=chance.choice(_PLATES))
    draw.text((x, y), text, "white", font, stroke_width=0 if on_plate else 2, stroke_fill="black")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


_PLATES = ("black", "navy", "darkred")


def frame(video_id: str, jpeg: bytes) -> pa.RecordBatch:
    """One picture as a video of one frame."""
    row = {"video_id": video_id, "frame_no": 0, "start_s": 0.0, "duration_s": 1.0}
    row |= {"is_shot_start": True, "width": 0, "height": 0, "jpeg": jpeg}
    return pa.RecordBatch.from_pylist([row], schema=FRAMES.schema)


def score(what: str, reader: TextReader, pictures: Sequence[tuple[str, bytes]]) -> Score:
    """Read pictures of known text; a picture's lines are joined in reading order."""
    from jiwer import cer

    found: dict[str, list[dict[str, Any]]] = {}
    began = time.process_time()
    batches = (frame(str(i), jpeg) for i, (_, jpeg) in enumerate(pictures))
    for batch in reader.read(batches):
        for row in batch.to_pylist():
            found.setdefault(row["video_id"], []).append(row)
    spent = time.process_time() - began
    wrong = letters = 0.0
    for i, (truth, _) in enumerate(pictures):
        read = " ".join(row["text"] for row in _reading_order(found.get(str(i), [])))
        # More wrong letters than there are letters is as bad as nothing read.
        wrong += min(1.0, cer(truth, read) if read else 1.0) * len(truth)
        letters += len(truth)
    return Score(what, len(pictures), wrong / max(letters, 1), len(found), spent / len(pictures))


def _reading_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By line, then from left to right: boxes whose centres are within half a height are a line."""
    rows = sorted(rows, key=lambda row: row["y0"] + row["y1"])
    lines: list[list[dict[str, Any]]] = []
    for row in rows:
        last = lines[-1][-1] if lines else None
        apart = abs(row["y0"] + row["y1"] - last["y0"] - last["y1"]) / 2 if last else 1.0
        if last and apart < (row["y1"] - row["y0"]) / 2:
            lines[-1].append(row)
        else:
            lines.append([row])
    return [row for line in lines for row in sorted(line, key=lambda row: row["x0"])]


def real_pictures(media: Path) -> Iterator[tuple[str, str, bytes]]:
    """(name, text, JPEG) of the real pictures, at most 640 px long as in `frames`, and whole."""
    from PIL import Image

    for name, text in (("latin.jpg", LATIN), ("phototest.tif", PHOTOTEST)):
        for side in (640, 2000):
            picture = Image.open(media / "ocr" / name).convert("RGB")
            picture.thumbnail((side, side))
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=90)
            yield f"{name}, {max(picture.size)} px", text, out.getvalue()


def textless() -> list[tuple[str, bytes]]:
    """Photographs without text: whatever is stored is noise."""
    from PIL import Image
    from skimage import data
    from sklearn.datasets import load_sample_images

    names = ("coffee", "chelsea", "camera", "brick", "grass", "gravel", "coins", "moon")
    pictures = [getattr(data, name)() for name in names] + list(load_sample_images().images)
    out = []
    for picture in pictures:
        small = Image.fromarray(np.asarray(picture)).convert("RGB")
        small.thumbnail((640, 640))
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=85)
        out.append(("", encoded.getvalue()))
    return out


def measure(media: Path) -> list[Score]:
    """All rows of the table; real pictures are left out, aloud, when ``media`` is not there."""
    from ml.ocr import load_reader
    from ml.ocr.engines import find_russian_data

    reader = load_reader("packaged:rapidocr", profile="embedded")
    # A folder without Russian data: what a machine without Tesseract's package stores.
    alone = load_reader("packaged:rapidocr", profile="embedded", tessdata_dir=Path(__file__).parent)
    sets = {c: [(t, drawn(t, i)) for i, t in enumerate(captions(c))] for c in ("en", "ru")}
    scores = [score("English captions", reader, sets["en"])]
    if find_russian_data():
        scores.append(score("Russian captions, with Tesseract's data", reader, sets["ru"]))
    else:
        print("skipped: Russian captions; Tesseract's Russian data is not here")
    scores.append(score("Russian captions, without", alone, sets["ru"]))
    scores.append(score("photographs without text", reader, textless()))
    if not (media / "ocr").is_dir():
        print(f"skipped: real pictures; there is no {media / 'ocr'}")
        return scores
    return scores + [score(name, reader, [(text, j)]) for name, text, j in real_pictures(media)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--media", type=Path, default=MEDIA)
    print("| text | pictures | CER | pictures with lines | CPU s/picture |")
    print("| --- | --- | --- | --- | --- |")
    for s in measure(parser.parse_args().media):
        cer = "" if s.what.startswith("photographs") else f"{s.cer:.3f}"
        print(f"| {s.what} | {s.pictures} | {cer} | {s.stored} | {s.cpu_s_per_picture:.2f} |")


if __name__ == "__main__":
    main()
