"""Word error rate of the packaged speech recogniser on real recordings.

Six sentences read by people and eleven clips of the GRID corpus, whose sentences ("set blue with
e five now") no language model of English expects. Run alone, or through benchmarks/accuracy.py:

    python -m benchmarks.accuracy_speech --media ../shared/media
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from benchmarks import MEDIA
from ml.media.sound import AudioPart, MonoResampler, PartWriter
from ml.schemas import AUDIO
from ml.speech import Recogniser, load_recogniser

SENTENCES = {
    "jfk.flac": (
        "and so my fellow americans ask not what your country can do for you "
        "ask what you can do for your country"
    ),
    "speechbrain_spk1_snt1.wav": "the child almost hurt the small dog",
    "speechbrain_spk1_snt2.wav": "drop the two when you add the figures",
    "speechbrain_spk1_snt3.wav": "at that high level the air is pure",
    "speechbrain_spk1_snt4.wav": "a thin stripe runs down the middle",
    "speechbrain_spk1_snt5.wav": "sunday is the best part of the week",
}
_COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
_COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
_PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
_NUMBERS = "zero one two three four five six seven eight nine"
_DIGITS = dict(zip("z123456789", _NUMBERS.split(" "), strict=True))
_ADVERBS = {"a": "again", "n": "now", "p": "please", "s": "soon"}


@dataclass(frozen=True)
class Recording:
    """A file and what is said in it, in lower case without punctuation."""

    group: str
    path: Path
    reference: str


@dataclass(frozen=True)
class Heard:
    """A recording, what the recogniser wrote, and its mean confidence (0 when it wrote nothing)."""

    recording: Recording
    text: str
    confidence: float

    @property
    def errors(self) -> tuple[int, int]:
        """Wrong, missing and added words, and the words there are."""
        return word_errors(self.recording.reference, self.text)


@dataclass(frozen=True)
class SpeechAccuracy:
    """The measurement: every recording, and seconds of computing per second of sound."""

    model: str
    heard: list[Heard]
    real_time_factor: float

    def word_error_rate(self, group: str = "") -> float:
        """Over all words of a group, or of all groups."""
        counts = [h.errors for h in self.heard if group in ("", h.recording.group)]
        return sum(wrong for wrong, _ in counts) / max(1, sum(words for _, words in counts))


def measure(media: Path, recogniser: Recogniser) -> SpeechAccuracy:
    """Recognise every recording under ``media`` as one batch of videos."""
    recordings = speech_recordings(media) + grid_recordings(media)
    batches = [audio_batch(str(i), r.path) for i, r in enumerate(recordings)]
    sound_s = sum(batch["sample_count"][0].as_py() / 16_000 for batch in batches)
    began = time.perf_counter()
    found = list(recogniser.recognise(iter(batches)))
    rows = [row for batch in found for row in batch.to_pylist()]
    took_s = time.perf_counter() - began
    heard = [
        _heard(recording, [row for row in rows if row["video_id"] == str(i)])
        for i, recording in enumerate(recordings)
    ]
    return SpeechAccuracy(recogniser.model, heard, took_s / sound_s)


def _heard(recording: Recording, rows: list[dict[str, object]]) -> Heard:
    text = " ".join(str(row["text"]) for row in rows)
    confidences = [float(str(row["confidence"])) for row in rows]
    return Heard(recording, text, sum(confidences) / max(1, len(confidences)))


def speech_recordings(media: Path) -> list[Recording]:
    """The read sentences."""
    return [
        Recording("speech", media / "speech" / name, reference)
        for name, reference in SENTENCES.items()
    ]


def grid_recordings(media: Path) -> list[Recording]:
    """The GRID clips; a clip's original name spells its sentence."""
    with (media / "clips" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "GRID corpus" in row["licence"]]
    return [
        Recording("grid", media / row["path"], grid_sentence(Path(row["original_path"]).stem))
        for row in rows
    ]


def grid_sentence(name: str) -> str:
    """``id2_vcd_swwp2s`` is "set white with p two soon" (Cooke et al. 2006, table I)."""
    command, colour, preposition, letter, digit, adverb = list(name.rsplit("_", 1)[-1])
    words = [_COMMANDS[command], _COLOURS[colour], _PREPOSITIONS[preposition], letter]
    return " ".join([*words, _DIGITS[digit], _ADVERBS[adverb]])


def audio_batch(video_id: str, path: Path) -> pa.RecordBatch:
    """Rows of `audio` for a file with sound."""
    import av

    writer, resampler = PartWriter(), MonoResampler()
    parts: list[AudioPart] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += writer.add(None, resampler.push(frame))
    parts += writer.add(None, resampler.flush())
    parts += writer.finish()
    rows = [
        {
            "video_id": video_id,
            "part_no": part_no,
            "start_s": part.start_s,
            "sample_rate_hz": 16_000,
            "sample_count": part.sample_count,
            "rms_dbfs": part.rms_dbfs,
            "flac": part.flac,
        }
        for part_no, part in enumerate(parts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=AUDIO.schema)


def word_errors(reference: str, text: str) -> tuple[int, int]:
    """Wrong, missing and added words of ``text``, and the words of ``reference``."""
    import jiwer

    found = jiwer.process_words(plain(reference), plain(text))
    return (
        found.substitutions + found.deletions + found.insertions,
        found.substitutions + found.deletions + found.hits,
    )


def plain(text: str) -> str:
    """Lower case, letters and apostrophes only."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def report(accuracy: SpeechAccuracy) -> str:
    """A table per file, then the totals, then what is weak."""
    lines = [f"speech recognition: {accuracy.model}", ""]
    for heard in accuracy.heard:
        wrong, words = heard.errors
        lines.append(f"{wrong:3} of {words:2}  {heard.confidence:.2f}  {heard.recording.path.name}")
        lines.append(f"{'':18}said   {heard.recording.reference}")
        lines.append(f"{'':18}heard  {heard.text or '(nothing it was sure of)'}")
    for group in ("speech", "grid", ""):
        rate = accuracy.word_error_rate(group)
        lines.append(f"word error rate, {group or 'all':6}  {rate:.3f}")
    lines.append(f"seconds of computing per second of sound  {accuracy.real_time_factor:.2f}")
    return "\n".join([*lines, "", WEAK])


WEAK = """\
What is weak: the packaged model knows English only, and of it what newspapers and read sentences
say. Single letters, digits and commands without grammar (GRID) come out as similar sentences. Music
under the voice, distance and strong accents cost most of the words."""


def main() -> None:
    """Print the report, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--model", default="packaged:pocketsphinx-en-us")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    if not (arguments.media / "speech").is_dir():
        print(f"SKIPPED: no recordings in {arguments.media}/speech (name them with --media)")
        return
    recogniser = load_recogniser(arguments.model, profile="embedded", workers=arguments.workers)
    print(report(measure(arguments.media, recogniser)))


if __name__ == "__main__":
    main()
