"""The two ways of running a Whisper checkpoint: transformers, and the `whisper` package.

Hub ids and folders load in transformers, ``.pt`` files and ``whisper:NAME`` in the `whisper`
package. Both compute in half precision on a GPU and in single precision on a CPU, decode greedily,
and give the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.failures import ModelUnavailable
from ml.media.sound import SAMPLE_RATE_HZ, Samples
from ml.models.loading import weights_hash
from ml.speech.whisper import MAX_NEW_TOKENS, Decoding, Heard

MULTILINGUAL_VOCABULARY = 51865  # tokens; English-only checkpoints have one less
ENGLISH_ONLY = {"en": 1.0}  # what an English-only checkpoint says of every sound


class TransformersEngine:
    """A ``WhisperForConditionalGeneration`` checkpoint: see ``Engine``."""

    def __init__(self, name: str, source: str, device: str, revision: str = "main") -> None:
        """Load ``source``, a hub id or a folder.

        Raises:
            ValueError: not a Whisper checkpoint, incomplete weights, or no time stamp tokens.
            OSError: not there.
        """
        import torch
        from transformers import AutoConfig, WhisperForConditionalGeneration, WhisperProcessor
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # of what generate() does inside itself, at every call
        kind = AutoConfig.from_pretrained(source, revision=revision).model_type
        if kind != "whisper":
            raise ValueError(f"it is a {kind!r} checkpoint, a 'whisper' one is needed")
        self.model = name
        self._dtype = torch.float16 if device.startswith("cuda") else torch.float32
        self._processor = WhisperProcessor.from_pretrained(source, revision=revision)
        loaded: Any = WhisperForConditionalGeneration.from_pretrained(
            source, revision=revision, dtype=self._dtype, output_loading_info=True
        )
        network, report = loaded
        if report["missing_keys"]:
            missing = ", ".join(sorted(report["missing_keys"])[:3])
            raise ValueError(f"weights are missing, among them {missing}")
        self._network: Any = network.to(device).eval()
        self._read_special_tokens()

    def _read_special_tokens(self) -> None:
        config = self._network.generation_config
        last = getattr(config, "no_timestamps_token_id", None)
        if last is None:
            raise ValueError("generation_config.json names no no_timestamps_token_id")
        self.timestamp_begin = last + 1
        self.text_end = self._processor.tokenizer.eos_token_id
        self._no_speech_token = last - 1  # as transformers' WhisperNoSpeechDetection has it
        languages = getattr(config, "lang_to_id", None) or {}
        if not languages and self._network.config.vocab_size >= MULTILINGUAL_VOCABULARY:
            raise ValueError("generation_config.json lists no languages: lang_to_id is missing")
        self._languages = {token.strip("<|>"): number for token, number in languages.items()}

    def listen(self, sounds: Sequence[Samples]) -> list[Heard]:
        """See ``Engine``."""
        import torch

        network = self._network
        mel = self._processor.feature_extractor(
            [to_float(sound) for sound in sounds],
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="pt",
            device=str(network.device),
        ).input_features
        with torch.inference_mode():
            encoded = network.get_encoder()(mel.to(network.device, self._dtype))
            start = torch.full(
                (len(sounds), 1),
                network.generation_config.decoder_start_token_id,
                device=network.device,
            )
            logits = network(
                encoder_outputs=encoded, decoder_input_ids=start, use_cache=False
            ).logits[:, -1]
        features = encoded.last_hidden_state
        return _heard(features, logits, self._languages, self._no_speech_token)

    def decode(self, heard: Sequence[Heard], languages: Sequence[str]) -> list[Decoding]:
        """See ``Engine``."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        features = torch.stack([h.features for h in heard])
        choices = _GreedyChoices()
        spoken = {"language": list(languages), "task": "transcribe"} if self._languages else {}
        # One pass over the window; what it chose is taken from the logits processor, because
        # generate() itself drops text after the last pair of time stamps.
        with torch.inference_mode():
            self._network.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=features),
                return_timestamps=True,
                force_unique_generate_call=True,
                logits_processor=[choices],
                max_length=min(MAX_NEW_TOKENS, self._network.config.max_target_positions // 2),
                do_sample=False,
                num_beams=1,
                **spoken,
            )
        return choices.decodings(self._network.generation_config.eos_token_id)

    def text(self, tokens: Sequence[int]) -> str:
        """See ``Engine``."""
        return str(self._processor.tokenizer.decode(list(tokens), skip_special_tokens=True))


class _GreedyChoices:
    """A logits processor, last in line, that notes the likeliest token and its log-probability."""

    def __init__(self) -> None:
        self._tokens: list[Any] = []
        self._logprobs: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        logprob, token = scores.float().log_softmax(dim=-1).max(dim=-1)
        self._tokens.append(token)
        self._logprobs.append(logprob)
        return scores

    def decodings(self, end_token: int) -> list[Decoding]:
        """Per row, up to the end-of-text token, which counts in the mean as in the paper's code."""
        import torch

        tokens = torch.stack(self._tokens, dim=1).tolist()
        logprobs = torch.stack(self._logprobs, dim=1).tolist()
        return [_decoding(row, logs, end_token) for row, logs in zip(tokens, logprobs, strict=True)]


def _decoding(tokens: list[int], logprobs: list[float], end_token: int) -> Decoding:
    length = tokens.index(end_token) if end_token in tokens else len(tokens)
    counted = logprobs[: length + 1]
    return Decoding(tokens[:length], sum(counted) / (length + 1))


class OpenAIEngine:
    """A checkpoint of the `whisper` package: see ``Engine``."""

    def __init__(self, name: str, source: str, device: str) -> None:
        """Load ``source``, a ``.pt`` file or a name such as ``small``.

        Raises:
            RuntimeError: no such name or file, or not a Whisper checkpoint.
            ImportError: the package is not installed.
        """
        import whisper
        from whisper.tokenizer import get_tokenizer

        self.model = name
        self._device = device
        self._half = device.startswith("cuda")
        self._network: Any = whisper.load_model(source, device=device).eval()
        self._tokenizer = get_tokenizer(
            self._network.is_multilingual,
            num_languages=self._network.num_languages,
            language="en",
            task="transcribe",
        )
        self.timestamp_begin = self._tokenizer.timestamp_begin
        self.text_end = self._tokenizer.eot

    def listen(self, sounds: Sequence[Samples]) -> list[Heard]:
        """See ``Engine``."""
        import torch

        network, tokenizer = self._network, self._tokenizer
        mel = torch.stack([self._log_mel(sound) for sound in sounds])
        with torch.inference_mode():
            features = network.encoder(mel.half() if self._half else mel)
            start = torch.full((len(sounds), 1), tokenizer.sot, device=self._device)
            logits = network.logits(start, features)[:, -1]
        codes = dict(
            zip(tokenizer.all_language_codes, tokenizer.all_language_tokens, strict=True)
            if network.is_multilingual
            else ()
        )
        return _heard(features, logits, codes, tokenizer.no_speech)

    def decode(self, heard: Sequence[Heard], languages: Sequence[str]) -> list[Decoding]:
        """See ``Engine``. One call per language: ``whisper.decode`` takes one for all."""
        import torch
        import whisper

        done: dict[int, Decoding] = {}
        for language in sorted(set(languages)):
            chosen = [i for i, spoken in enumerate(languages) if spoken == language]
            options = whisper.DecodingOptions(language=language, fp16=self._half)
            features = torch.stack([heard[i].features for i in chosen])
            for i, result in zip(chosen, self._network.decode(features, options), strict=True):
                done[i] = Decoding(list(result.tokens), float(result.avg_logprob))
        return [done[i] for i in range(len(heard))]

    def text(self, tokens: Sequence[int]) -> str:
        """See ``Engine``."""
        return str(self._tokenizer.decode(list(tokens)))

    def _log_mel(self, sound: Samples) -> Any:
        """``float32[mels, 3000]``; one by one, as `whisper` scales to the loudest it is given."""
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        padded = pad_or_trim(to_float(sound))
        return log_mel_spectrogram(padded, self._network.dims.n_mels, device=self._device)


def _heard(features: Any, logits: Any, languages: dict[str, int], no_speech: int) -> list[Heard]:
    """What the logits after the start token say of each window."""
    logits = logits.float()
    silence = logits.softmax(dim=-1)[:, no_speech].tolist()
    if not languages:
        spoken = [ENGLISH_ONLY] * len(silence)
    else:
        among = logits[:, list(languages.values())].softmax(dim=-1).tolist()
        spoken = [dict(zip(languages, row, strict=True)) for row in among]
    return [Heard(*window) for window in zip(features, spoken, silence, strict=True)]


def to_float(samples: Samples) -> npt.NDArray[np.float32]:
    """``float32[n]`` in [-1, 1)."""
    return samples.astype(np.float32) / 32768.0


def load_engine(model_id: str, *, profile: str, device: str) -> TransformersEngine | OpenAIEngine:
    """The engine for a hub id (``name`` or ``name@revision``), folder, ``.pt`` or ``whisper:NAME``.

    Raises:
        ModelUnavailable: it cannot be found, fetched or loaded.
    """
    try:
        if model_id.startswith("whisper:"):
            return _packaged_name(model_id.removeprefix("whisper:"), device)
        if is_local(model_id):
            path = Path(model_id)
            name = f"{path.resolve().name}@{weights_hash(path)}"
            if path.is_file():
                return OpenAIEngine(name, model_id, device)
            return TransformersEngine(name, model_id, device)
        source, revision = resolve(model_id)
        return TransformersEngine(f"{source}@{revision}", source, device, revision)
    except Exception as error:  # loaders raise anything: safetensors, pickle, json, HTTP errors
        raise ModelUnavailable(model_id, profile, _reason(error)) from error


def fetch_checkpoint(model_id: str, *, profile: str) -> None:
    """Download a checkpoint ahead, into the cache its loader reads. Local ones are only looked at.

    Raises:
        ModelUnavailable: it cannot be found or fetched.
    """
    try:
        if model_id.startswith("whisper:"):
            import whisper

            whisper.load_model(model_id.removeprefix("whisper:"), device="cpu")
        elif is_local(model_id):
            weights_hash(Path(model_id))
        else:
            _fetch_from_hub(*resolve(model_id))
    except Exception as error:  # as above
        raise ModelUnavailable(model_id, profile, _reason(error)) from error


def _fetch_from_hub(source: str, revision: str) -> None:
    """One copy of the weights: repositories also hold other formats and single precision."""
    from huggingface_hub import snapshot_download

    small = ["*.json", "*.txt"]
    weights = ["model.safetensors", "model-*.safetensors"]
    folder = snapshot_download(source, revision=revision, allow_patterns=small + weights)
    if not list(Path(folder).glob("*.safetensors")):
        snapshot_download(source, revision=revision, allow_patterns=["pytorch_model*"])


def is_local(model_id: str) -> bool:
    """Whether an id names a file or folder, there or not, instead of a checkpoint of the hub."""
    written_as_path = model_id.startswith(("/", "./", "../")) or model_id.endswith(".pt")
    return written_as_path or Path(model_id).exists()


def resolve(model_id: str) -> tuple[str, str]:
    """Hub id and commit of ``name`` or ``name@revision``; without a network, of the cached copy.

    Raises:
        OSError or ValueError: the hub does not know it, or cannot be reached and nothing is cached.
    """
    from huggingface_hub import HfApi

    source, _, revision = model_id.partition("@")
    found = HfApi().resolve_revision(source, revision=revision or None)
    return source, str(found.resolved)


def _packaged_name(name: str, device: str) -> OpenAIEngine:
    """A checkpoint by name: the package pins its hash, so the package's version names it."""
    from importlib.metadata import version

    return OpenAIEngine(f"whisper-{name}@{version('openai-whisper')}", name, device)


def _reason(error: Exception) -> str:
    """The first line of an error, without its full stop."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")
