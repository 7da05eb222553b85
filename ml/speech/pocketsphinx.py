"""The packaged recogniser: pocketsphinx with its US English model. English only, on CPUs.

It hears English words whatever is spoken, so a video's text is kept only where two things speak for
it: the words' posteriors in the lattice (``certainty``) and how well the sound fits them (``fit``).
Measured on windows of 2-12 s, this keeps all English of flite's voices rms, slt and awb and 83 % of
recorded English (what it drops there is mostly wrong), and lets through 6 % of Russian by
espeak-ng, 17-23 % of English played backwards, and 67 % of Russian spelt out to flite, whose sounds
are English. So nonsense can remain in videos that are not English; the base and full profiles are
for those.

pocketsphinx holds the interpreter lock while it decodes (another thread got it 4 times a second
instead of 760), so windows go to worker processes. Its own settings stayed: level, noise removal,
language weight, insertion penalty, Gaussians and phone lookahead were each varied, and none lowered
the word error rate over some 300 words by more than a single point.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ml.failures import ModelUnavailable, RetryableFailure
from ml.media.sound import Samples
from ml.speech.segments import Segment, record_batches
from ml.speech.vad import MIN_SPEECH_S, Cutting, SpeechDetector, Window, parts_of
from ml.workers import Outcome, run_tasks

MODEL_ID = "packaged:pocketsphinx-en-us"
LANGUAGE = "en"
FRAMES_PER_S = 100  # the acoustic model's
SPLIT_PAUSE_S = 0.4
# A video's text is kept from here on; see the top for what these two let through and lose.
MIN_CERTAINTY = 0.33
MIN_FIT_NATS = -4.1
# In a video that is kept, phrases below this are guesses: of those of .30 most words were right.
MIN_CONFIDENCE = 0.25
# Decoding takes 0.2 to 0.5 of real time on a free core; 20 x real time on a crowded one is a hang.
LIMIT_S, LIMIT_PER_SOUND_S = 60.0, 20.0

_log = logging.getLogger(__name__)
# Windows of a sentence or a few: joining across longer pauses made no fewer errors.
_CUTTING = Cutting(join_gap_s=1.0)
_NOT_WORDS = "<[+"  # <sil>, [NOISE], ++BREATH++
_VARIANT = re.compile(r"\(\d+\)$")  # "the(2)": the word's second pronunciation


class Word(NamedTuple):
    """A recognised word; times in seconds from the start of its window.

    ``fit_nats`` is the log-likelihood of its sound per frame of 10 ms, against that of the sound
    which fits each frame best: 0 is perfect.
    """

    text: str
    start_s: float
    end_s: float
    posterior: float
    fit_nats: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


class Utterance(NamedTuple):
    """A window without its samples, and the words in it."""

    start_s: float
    duration_s: float
    words: list[Word]

    @property
    def speech_s(self) -> float:
        """Its length without the padding at both ends."""
        return max(MIN_SPEECH_S, self.duration_s - 2 * _CUTTING.pad_s)


class WordDecoder:
    """pocketsphinx in a worker process. Travels there without its decoder, which loads there."""

    def __init__(self, model_path: Path) -> None:
        self.model_path = model_path
        self._decoder: Any = None

    def check(self) -> None:
        """Raises FileNotFoundError when a file of the model is missing."""
        for name in ("en-us", "en-us.lm.bin", "cmudict-en-us.dict"):
            if not (self.model_path / name).exists():
                raise FileNotFoundError(f"{self.model_path / name} is missing from pocketsphinx")

    def load(self) -> None:
        """Build the decoder: 0.6 s and some 150 MB."""
        from pocketsphinx import Decoder

        self._decoder = Decoder(
            hmm=str(self.model_path / "en-us"),
            lm=str(self.model_path / "en-us.lm.bin"),
            dict=str(self.model_path / "cmudict-en-us.dict"),
            loglevel="FATAL",
        )

    def words(self, window: Window) -> list[Word]:
        """The best hypothesis for a window, silences and noises left out."""
        return self.decode(window.samples)

    def decode(self, samples: Samples) -> list[Word]:
        """The words of ``int16[n]`` at 16 kHz, taken as one utterance."""
        # The noise estimate of the last utterance would colour this one: the same sound got other
        # words after other neighbours, and so on a re-run.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(samples.astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return []
        return [_word(found) for found in self._decoder.seg() if found.word[0] not in _NOT_WORDS]


def _word(found: Any) -> Word:
    frames = found.end_frame - found.start_frame + 1
    return Word(
        text=_VARIANT.sub("", found.word),
        start_s=found.start_frame / FRAMES_PER_S,
        end_s=(found.end_frame + 1) / FRAMES_PER_S,
        posterior=found.prob,
        fit_nats=math.log(max(found.ascore, sys.float_info.min)) / frames,
    )


class PocketsphinxRecogniser:
    """A ``Recogniser`` for English, in ``workers`` processes."""

    def __init__(self, workers: int = 1) -> None:
        from importlib.metadata import version

        import pocketsphinx

        self.workers = workers
        self._detector = SpeechDetector(_CUTTING)
        self._decoder = WordDecoder(Path(pocketsphinx.get_model_path("en-us")))
        self._decoder.check()
        self.model = f"pocketsphinx-en-us@{version('pocketsphinx')}+{self._detector.model}"

    def recognise(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Recogniser``. A window that crashes the decoder is logged and left out.

        Raises:
            RetryableFailure: a worker ran out of memory.
        """
        yield from record_batches(self._spoken(batches), self.model)

    def _spoken(self, batches: Iterable[pa.RecordBatch]) -> Generator[tuple[str, list[Segment]]]:
        windows = (w for part in parts_of(batches) for w in self._detector.windows(part))
        outcomes = run_tasks(
            self._decoder.words,
            windows,
            workers=self.workers,
            limit_s=lambda window: LIMIT_S + LIMIT_PER_SOUND_S * window.duration_s,
            initializer=self._decoder.load,
            what="speech recogniser",
        )
        for video_id, found in groupby(outcomes, key=lambda outcome: outcome.task.video_id):
            yield video_id, segments_of(found)


def load_pocketsphinx(*, profile: str, workers: int = 1) -> PocketsphinxRecogniser:
    """The packaged recogniser.

    Raises:
        ModelUnavailable: pocketsphinx or silero-vad is missing or broken.
    """
    try:
        return PocketsphinxRecogniser(workers)
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelUnavailable(MODEL_ID, profile, str(error)) from error


def segments_of(outcomes: Iterable[Outcome[Window, list[Word]]]) -> list[Segment]:
    """A video's segments; none where its text is not to be believed.

    Raises:
        RetryableFailure: of a window; the step is to be tried again.
    """
    utterances = [_utterance(outcome) for outcome in outcomes]
    words = [word for utterance in utterances for word in utterance.words]
    speech_s = sum(utterance.speech_s for utterance in utterances)
    if not words or certainty(words, speech_s) < MIN_CERTAINTY or fit(words) < MIN_FIT_NATS:
        return []
    segments = [s for utterance in utterances for s in _segments(utterance)]
    return [segment for segment in segments if segment.confidence >= MIN_CONFIDENCE]


def _utterance(outcome: Outcome[Window, list[Word]]) -> Utterance:
    if isinstance(outcome.failure, RetryableFailure):
        raise outcome.failure
    window = outcome.task
    if outcome.value is None:
        where = f"{window.video_id} at {window.start_s:.1f}-{window.end_s:.1f} s"
        _log.warning("no text for %s: %s", where, outcome.failure)
    return Utterance(window.start_s, window.duration_s, outcome.value or [])


def split_at_pauses(words: list[Word]) -> list[list[Word]]:
    """Phrases: a pause of ``SPLIT_PAUSE_S`` begins a new one."""
    phrases: list[list[Word]] = []
    for word in words:
        if phrases and word.start_s - phrases[-1][-1].end_s < SPLIT_PAUSE_S:
            phrases[-1].append(word)
        else:
            phrases.append([word])
    return phrases


def _segments(utterance: Utterance) -> list[Segment]:
    return [
        Segment(
            start_s=utterance.start_s + phrase[0].start_s,
            end_s=utterance.start_s + min(phrase[-1].end_s, utterance.duration_s),
            text=" ".join(word.text for word in phrase),
            language=LANGUAGE,
            confidence=confidence(phrase),
        )
        for phrase in split_at_pauses(utterance.words)
    ]


def confidence(words: list[Word]) -> float:
    """Mean posterior of the words in the lattice, weighted by how long they last (0 to 1)."""
    return _mean([word.posterior for word in words], words)


def certainty(words: list[Word], speech_s: float) -> float:
    """The same over ``speech_s`` seconds of speech: what no word explains counts as 0."""
    return sum(word.posterior * word.duration_s for word in words) / speech_s


def fit(words: list[Word]) -> float:
    """Mean ``fit_nats`` per frame; 0 at best."""
    return _mean([word.fit_nats for word in words], words)


def _mean(values: list[float], words: list[Word]) -> float:
    return float(np.average(values, weights=[word.duration_s for word in words]))
