"""What a video shows, in words: a video LLM looks at a few of its kept frames.

Any checkpoint of transformers' image-text-to-text classes with a chat template will do. The frames
are given as pictures in order of time, not as a video: that is what all of these classes take, and
transformers prepares pictures with PIL, videos with torchvision only. A caption is what a model
believes; nothing checks it.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa

from ml.failures import ModelUnavailable
from ml.models.device import FittingBatches, half_precision
from ml.models.loading import identity, load
from ml.schemas import CAPTIONS

# By the language that is asked for.
PROMPTS = {
    "en": (
        "These are frames of one video, in order of time. Say in two or three sentences of plain "
        "text, without a list, what the video shows: its subject, the place, who or what is seen "
        "and what happens."
    ),
    "ru": (
        "Это кадры одного видео по порядку времени. Опиши по-русски, двумя-тремя предложениями "
        "обычного текста, без списка, что показано в видео: о чём оно, где это, кто или что в "
        "кадре и что происходит."
    ),
}
MAX_FRAMES = 8
# At 448 px a frame of 16:9 is 112 tokens of Qwen3-VL (32 px each way), eight frames about 900.
FRAME_SIDE_PX = 448
MAX_NEW_TOKENS = 160  # three sentences of Russian; what is longer loses its unfinished end
# JPEGs of a video held while it streams by: when there are as many, every other one goes.
HELD_FRAMES = 128
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")

Conversation = list[dict[str, Any]]


class VideoCaptioner:
    """A checkpoint of an image-text-to-text class, decoding greedily.

    Attributes:
        model: name and revision, as stored in the ``model`` column.
        batch_size: videos in one step of the model; 1 where its processor takes no more.
    """

    def __init__(
        self, model_id: str, profile: str, language: str, device: str, batch_size: int
    ) -> None:
        self._prompt = PROMPTS[language]
        self._language = language
        self._dtype = half_precision(device)
        network = _load_network(model_id, profile, self._dtype)
        self._network, self._device = network.to(device), device
        self._processor = _load_processor(model_id, profile)
        self._ends = _end_tokens(network, self._processor.tokenizer)
        self.model = identity(model_id, network)
        self.batch_size = self._accepted(batch_size, model_id, profile)
        self._batches = FittingBatches(self.batch_size)

    def describe(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`frames` in (``FRAMES`` rows, a video's together), `captions` out, in the videos' order.

        A video without frames has no row, nor has one of which the model says nothing.

        Raises:
            torch.OutOfMemoryError: the frames of a single video do not fit.
        """
        videos = few_frames(batches)
        while group := list(islice(videos, self.batch_size)):
            parts = self._batches.run(self._captions, [jpegs for _, jpegs in group])
            captions = chain.from_iterable(parts)
            rows = [
                {
                    "video_id": video_id,
                    "caption": caption,
                    "language": self._language,
                    "frame_count": len(jpegs),
                    "model": self.model,
                }
                for (video_id, jpegs), caption in zip(group, captions, strict=True)
                if caption
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=CAPTIONS.schema)

    def _captions(self, videos: Sequence[list[bytes]]) -> list[str]:
        """The caption of each video's JPEGs, in one step of the model."""
        import torch

        prompts = [self._conversation([_picture(jpeg) for jpeg in jpegs]) for jpegs in videos]
        inputs = self._inputs(prompts).to(self._device, dtype=self._dtype)
        with torch.inference_mode():
            tokens = self._network.generate(
                **inputs,
                max_new_tokens=MAX_NEW_TOKENS,
                num_beams=1,
                # Checkpoints set these for chat, where drawing by lot is wanted.
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
            )
        if not self._network.config.is_encoder_decoder:
            tokens = tokens[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        ended = [bool(self._ends & set(row)) for row in tokens.tolist()]
        return [cleaned(text, ended=end) for text, end in zip(texts, ended, strict=True)]

    def _conversation(self, pictures: list[Any]) -> Conversation:
        shown = [{"type": "image", "image": picture} for picture in pictures]
        return [{"role": "user", "content": [*shown, {"type": "text", "text": self._prompt}]}]

    def _inputs(self, conversations: list[Conversation]) -> Any:
        return self._processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _accepted(self, batch_size: int, model_id: str, profile: str) -> int:
        """``batch_size``, or 1 where the processor cannot put two unlike videos side by side.

        Raises:
            ModelUnavailable: it takes not even one.
        """
        from PIL import Image

        wide, tall = Image.new("RGB", (96, 54)), Image.new("RGB", (54, 96))
        unlike = [self._conversation([wide, wide]), self._conversation([tall])]
        try:
            self._inputs(unlike)
        except (ValueError, TypeError, RuntimeError):
            load(model_id, profile, lambda *_, **__: self._inputs(unlike[:1]))
            return 1
        return batch_size


def load_captioner(
    model_id: str,
    *,
    profile: str,
    language: str = "en",
    device: str = "cpu",
    batch_size: int = 4,
) -> VideoCaptioner:
    """The video LLM of a profile.

    Args:
        model_id: hub id or local path of an image-text-to-text checkpoint.
        profile: the profile's name, for the error message.
        language: ISO 639-1 of the captions that are asked for, one of ``PROMPTS``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: videos in one step of the model; halved where they do not fit.

    Raises:
        ModelUnavailable: it cannot be loaded, or takes no conversation with pictures.
        ValueError: no prompt in that language.
    """
    if language not in PROMPTS:
        raise ValueError(f"no captions in {language!r}; there are: {', '.join(PROMPTS)}")
    return VideoCaptioner(model_id, profile, language, device, batch_size)


# ---------------------------------------------------------------- which frames


class _Frame(NamedTuple):
    video_id: str
    start_s: float
    duration_s: float
    jpeg: bytes


def few_frames(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, list[bytes]]]:
    """Each video with at most ``MAX_FRAMES`` of its JPEGs, spread evenly over its length.

    Of ``MAX_FRAMES`` equal spans of time, the frame shown in the middle of each; a frame that
    stands through several is given once.
    """
    for video_id, frames in groupby(_frames(batches), key=itemgetter(0)):
        held: list[_Frame] = []
        step, end_s = 1, 0.0
        for number, frame in enumerate(frames):
            end_s = frame.start_s + frame.duration_s
            if number % step == 0:
                held.append(frame)
            if len(held) == HELD_FRAMES:
                held, step = held[::2], 2 * step
        starts = [frame.start_s for frame in held]
        middles = [(k + 0.5) / MAX_FRAMES * end_s for k in range(MAX_FRAMES)]
        chosen = sorted({max(0, bisect_right(starts, middle) - 1) for middle in middles})
        yield video_id, [held[i].jpeg for i in chosen]


def _frames(batches: Iterable[pa.RecordBatch]) -> Iterator[_Frame]:
    for batch in batches:
        columns = [batch.column(name) for name in _Frame._fields]
        for values in zip(*columns, strict=True):
            yield _Frame(*(value.as_py() for value in values))


def _picture(jpeg: bytes) -> Any:
    """A PIL picture of at most ``FRAME_SIDE_PX`` each way."""
    from PIL import Image

    picture = Image.open(io.BytesIO(jpeg))
    picture.thumbnail((FRAME_SIDE_PX, FRAME_SIDE_PX))
    return picture.convert("RGB")


# ---------------------------------------------------------------- words


def cleaned(text: str, *, ended: bool) -> str:
    """One paragraph, each sentence once: greedy decoding may be caught in a loop.

    Args:
        text: as decoded, without special tokens.
        ended: whether the model ended it itself. Otherwise it was cut, and loses the sentence
            that it is in, unless that is the only one.
    """
    # A letter cut in the middle of its bytes decodes as U+FFFD.
    sentences = _SENTENCE_END.split(" ".join(text.replace("\ufffd", "").split()))
    if not ended and len(sentences) > 1 and not sentences[-1].endswith((".", "!", "?", "…")):
        sentences.pop()
    return " ".join(dict.fromkeys(sentences))


# ---------------------------------------------------------------- loading


def _load_network(model_id: str, profile: str, dtype: Any) -> Any:
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    loader: Any = AutoModelForImageTextToText.from_pretrained
    network, report = load(model_id, profile, loader, output_loading_info=True, dtype=dtype)
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        reason = f"the checkpoint lacks {len(missing)} of its weights, such as {missing[0]}"
        raise ModelUnavailable(model_id, profile, reason)
    return network.eval()


def _load_processor(model_id: str, profile: str) -> Any:
    """The checkpoint's processor, set to one view of a picture and to padding on the left.

    Raises:
        ModelUnavailable: it cannot be loaded, or takes no pictures or no conversations.
    """
    from transformers import AutoConfig, AutoProcessor
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    config = load(model_id, profile, AutoConfig.from_pretrained)
    known: Any = PROCESSOR_MAPPING.get(type(config), None)
    loader: Any = AutoProcessor
    if known is not None and "video_processor" in known.get_attributes():
        loader = _without_videos(known)
    # The PIL image processors need no torchvision.
    processor = load(model_id, profile, loader.from_pretrained, backend="pil")
    pictures = getattr(processor, "image_processor", None)
    if pictures is None or not getattr(processor, "chat_template", None):
        raise ModelUnavailable(model_id, profile, "it takes no conversation with pictures")
    # Some cut a picture into up to 16 tiles to read small print: 17 times the tokens.
    for setting in ("do_image_splitting", "crop_to_patches"):
        if hasattr(pictures, setting):
            setattr(pictures, setting, False)
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"  # what is generated follows the prompt without a gap
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor


def _without_videos(processor_class: Any) -> Any:
    """The class, for pictures only: its loader would ask for torchvision to prepare videos."""

    class PicturesOnly(processor_class):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != "video_processor"]

    return PicturesOnly


def _end_tokens(network: Any, tokenizer: Any) -> set[int]:
    ends = network.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return {end for end in (*listed, tokenizer.eos_token_id) if end is not None}
