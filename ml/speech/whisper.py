"""Whisper: windows of many videos in one model batch, the language detected, never set.

Two engines load the two kinds of checkpoint, transformers for hub ids and folders and the `whisper`
package for its own `.pt` files; both give the same tokens to the code below. The algorithm is that
of the paper (Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
section 4.5), with two differences. Windows are cut at pauses by a voice detector instead of at the
last time stamp, so all of them can be decoded at once; and there is no temperature fallback: a
window that would be decoded again is kept when it is merely unsure (its confidence says so) and
loses its repetitions when it is caught in a loop.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from ml.media.sound import Samples
from ml.models.device import FittingBatches
from ml.speech.segments import Segment, record_batches
from ml.speech.vad import Part, SpeechDetector, Window, parts_of

# The paper's thresholds, section 4.5; they are also the defaults of both packages.
MIN_AVG_LOGPROB = -1.0
MAX_COMPRESSION_RATIO = 2.4
MAX_NO_SPEECH_PROBABILITY = 0.6

TIME_STEP_S = 0.02
MAX_NEW_TOKENS = 224  # half the decoder's context, as in whisper.decode; 30 s of fast speech is 150
# Windows looked at together: their languages are known before decoding starts, and batches of
# similar length waste less, because a batch runs until its longest text ends.
BATCHES_IN_HAND = 4
# A window this long and this sure keeps its own language in a video of another one.
OWN_LANGUAGE_S, OWN_LANGUAGE_PROBABILITY = 10.0, 0.9

_ISO_639_1 = {"jw": "jv"}  # Whisper's code for Javanese is not the standard's

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Heard:
    """A window after the encoder and one step of the decoder.

    ``features`` is the engine's own, on its device; the probabilities are over the languages the
    model knows, and for there being no speech at all.
    """

    features: Any
    languages: dict[str, float]
    no_speech: float


@dataclass(frozen=True)
class Decoding:
    """Greedy output for a window: tokens after the prompt, without the end-of-text token."""

    tokens: list[int]
    avg_logprob: float


class Engine(Protocol):
    """One way of running a Whisper checkpoint. Batches may be of any size."""

    model: str
    timestamp_begin: int  # the token of 0.00 s
    text_end: int  # tokens below are text

    def listen(self, sounds: Sequence[Samples]) -> list[Heard]:
        """Encode ``int16[n]`` sounds of up to 30 s and detect their languages."""
        ...

    def decode(self, heard: Sequence[Heard], languages: Sequence[str]) -> list[Decoding]:
        """Transcribe with time stamps, each window in its language."""
        ...

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens below ``text_end``."""
        ...


class WhisperRecogniser:
    """A ``Recogniser`` in every language the checkpoint knows."""

    def __init__(self, engine: Engine, batch_size: int = 16) -> None:
        self._engine = engine
        self._batches = FittingBatches(batch_size)
        self._detector = SpeechDetector()
        self.model = f"{engine.model}+{self._detector.model}"

    def recognise(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """See ``Recogniser``. On CUDA out-of-memory the batch is halved, for good.

        Raises:
            torch.OutOfMemoryError: a single window does not fit.
        """
        yield from record_batches(self._spoken(parts_of(batches)), self.model)

    def _spoken(self, parts: Iterator[Part]) -> Iterator[tuple[str, list[Segment]]]:
        evidence = VideoLanguage()
        windows_of_parts = (list(self._detector.windows(part)) for part in parts)
        for group in _groups(windows_of_parts, BATCHES_IN_HAND * self._batches.size):
            windows = [window for part in group for window in part]
            heard = self._in_batches([w.samples for w in windows], self._engine.listen)
            answers = iter(heard)
            languages = [
                language
                for part in group
                for language in evidence.decide(part, [next(answers).languages for _ in part])
            ]
            for window, segments in zip(
                windows, self._transcribe(windows, heard, languages), strict=True
            ):
                yield window.video_id, segments

    def _transcribe(
        self, windows: list[Window], heard: list[Heard], languages: list[str]
    ) -> list[list[Segment]]:
        """Segments of each window. Decodes the longest first, so batches are of a length."""
        order = sorted(range(len(windows)), key=lambda i: -windows[i].duration_s)
        decoded = self._in_batches(
            [(heard[i], languages[i]) for i in order],
            lambda batch: self._engine.decode(*zip(*batch, strict=True)),
        )
        by_window = dict(zip(order, decoded, strict=True))
        return [
            self._segments(window, heard[i].no_speech, languages[i], by_window[i])
            for i, window in enumerate(windows)
        ]

    def _segments(
        self, window: Window, no_speech: float, language: str, decoding: Decoding
    ) -> list[Segment]:
        if is_silence(no_speech, decoding.avg_logprob):
            return []
        spans = timestamped(decoding.tokens, self._engine.timestamp_begin, self._engine.text_end)
        texts = [
            (window.start_s + start_s, window.start_s + min(end_s, window.duration_s), text)
            for start_s, end_s, tokens in spans
            # The encoder's input is padded to 30 s: what is "heard" in the padding is made up.
            if start_s < window.duration_s and (text := self._engine.text(tokens).strip())
        ]
        confidence = math.exp(min(0.0, decoding.avg_logprob))
        return [
            Segment(start_s, end_s, text, _ISO_639_1.get(language, language), confidence)
            for start_s, end_s, text in without_loops(texts)
        ]

    def _in_batches(
        self, items: Sequence[Item], work: Callable[[Sequence[Item]], list[Result]]
    ) -> list[Result]:
        return list(chain.from_iterable(self._batches.run(work, items)))


class VideoLanguage:
    """Decides what language is spoken, by all that was heard of the video so far.

    A second of "Yes" names a language badly, the video as a whole well: a part's windows add their
    probabilities, weighted by their length, to those of the video's earlier parts. A long and sure
    window keeps its own language, so a quotation in another language is not translated. Decisions
    depend on the video alone, not on what shares a model batch with it.
    """

    def __init__(self) -> None:
        self._video_id: str | None = None
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def decide(self, part: list[Window], heard: Sequence[dict[str, float]]) -> list[str]:
        """A language for each window of a part; parts come in the video's order."""
        if not part:
            return []
        if part[0].video_id != self._video_id:
            self._video_id, self._seconds = part[0].video_id, defaultdict(float)
        for window, probabilities in zip(part, heard, strict=True):
            for language, probability in probabilities.items():
                self._seconds[language] += probability * window.duration_s
        video_language = _likeliest(self._seconds)
        return [
            _own_language(window, probabilities) or video_language
            for window, probabilities in zip(part, heard, strict=True)
        ]


def _own_language(window: Window, probabilities: dict[str, float]) -> str | None:
    language = _likeliest(probabilities)
    sure = probabilities[language] >= OWN_LANGUAGE_PROBABILITY
    return language if sure and window.duration_s >= OWN_LANGUAGE_S else None


def _likeliest(weights: dict[str, float]) -> str:
    return max(sorted(weights), key=lambda language: weights[language])


def _groups(parts: Iterable[list[Window]], windows: int) -> Iterator[list[list[Window]]]:
    """Parts, never cut, until they hold at least ``windows`` windows together."""
    group: list[list[Window]] = []
    for part in parts:
        group.append(part)
        if sum(map(len, group)) >= windows:
            yield group
            group = []
    if any(group):
        yield group


def is_silence(no_speech: float, avg_logprob: float) -> bool:
    """The paper's rule: the model hears nothing, and is unsure of what it wrote all the same."""
    return no_speech > MAX_NO_SPEECH_PROBABILITY and avg_logprob < MIN_AVG_LOGPROB


def timestamped(
    tokens: Iterable[int], timestamp_begin: int, text_end: int
) -> list[tuple[float, float, list[int]]]:
    """``(start_s, end_s, text tokens)`` of each span; times from the start of the window.

    Time stamps come in pairs around a text. Text after the last one runs to the end: infinity.
    """
    spans: list[tuple[float, float, list[int]]] = []
    start_s, text = 0.0, list[int]()
    for token in tokens:
        if token >= timestamp_begin:
            time_s = (token - timestamp_begin) * TIME_STEP_S
            if text:
                spans.append((start_s, time_s, text))
            start_s, text = time_s, []
        elif token < text_end:
            text.append(token)
    if text:
        spans.append((start_s, math.inf, text))
    return spans


def compression_ratio(text: str) -> float:
    """Bytes of UTF-8 over bytes after zlib, as in the paper; 0 for no text."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def without_loops(spans: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Spans of a window without what a decoder caught in a loop repeats.

    A window whose text compresses more than ``MAX_COMPRESSION_RATIO`` times loses the spans that
    do so by themselves, and of each run of equal spans all but the first.
    """
    if compression_ratio(" ".join(text for _, _, text in spans)) <= MAX_COMPRESSION_RATIO:
        return spans
    first_of_runs = [next(run) for _, run in groupby(spans, key=lambda span: span[2])]
    return [s for s in first_of_runs if compression_ratio(s[2]) <= MAX_COMPRESSION_RATIO]
