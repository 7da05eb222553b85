"""Speak speech/sentences.csv with flite and keep each sentence as a 16 kHz mono FLAC file.

Run once, by hand, when a sentence changes; the FLAC files are kept in the repository, so a sample
library needs no synthesiser. For every row this runs exactly

    flite -voice VOICE -t TEXT -o SPEECH_ID.wav

with flite 2.2 (Debian package `flite`, free licence) and its voices `rms` and `slt`; the WAV
file (16 kHz, mono, 16 bit) becomes SPEECH_ID.flac without loss.

    python -m samples.render_speech
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "speech"


def render(speech_id: str, voice: str, text: str) -> Path:
    """Speak ``text``; returns the FLAC file. Raises CalledProcessError when flite fails."""
    flac = FOLDER / f"{speech_id}.flac"
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / f"{speech_id}.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
        _wav_to_flac(wav, flac)
    return flac


def _wav_to_flac(wav: Path, flac: Path) -> None:
    import av

    options = {"fflags": "+bitexact"}
    with av.open(str(wav)) as source, av.open(str(flac), "w", options=options) as target:
        stream = target.add_stream("flac", rate=16_000, layout="mono")
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def main() -> None:
    with (FOLDER / "sentences.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            print(render(row["speech_id"], row["voice"], row["text"]).name)


if __name__ == "__main__":
    main()
