"""Random Whisper checkpoints of both kinds, small enough to run in a test and as real as any.

They have every layer, token and file of a published checkpoint, and know nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ru", "de", "fr")
_WIDTH = 32


def save_tiny_whisper(folder: Path, seed: int = 0, mels: int = 80) -> Path:
    """A transformers checkpoint with processor and generation config, as ``save_pretrained``."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    tokenizer = _tokenizer()
    token = tokenizer.convert_tokens_to_ids
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=mels,
        d_model=_WIDTH,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=2 * _WIDTH,
        decoder_ffn_dim=2 * _WIDTH,
        max_target_positions=64,
        init_std=0.3,  # spreads the logits, so that the random model writes text and time stamps
        decoder_start_token_id=token("<|startoftranscript|>"),
        bos_token_id=token("<|endoftext|>"),
        eos_token_id=token("<|endoftext|>"),
        pad_token_id=token("<|endoftext|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[token("<|endoftext|>")],
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**_generation_settings(token))
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=mels), tokenizer).save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """Bytes as words, then Whisper's special tokens in Whisper's order."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import WhisperTokenizer

    words = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = WhisperTokenizer(
        vocab=vocabulary, merges=[], unk_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    special = [
        "<|startoftranscript|>",
        *(f"<|{language}|>" for language in LANGUAGES),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"),
        *("<|nospeech|>", "<|notimestamps|>"),
    ]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    return tokenizer


def _generation_settings(token: Any) -> dict[str, Any]:
    return {
        "decoder_start_token_id": token("<|startoftranscript|>"),
        "bos_token_id": token("<|endoftext|>"),
        "eos_token_id": token("<|endoftext|>"),
        "pad_token_id": token("<|endoftext|>"),
        "no_timestamps_token_id": token("<|notimestamps|>"),
        "lang_to_id": {f"<|{language}|>": token(f"<|{language}|>") for language in LANGUAGES},
        "task_to_id": {name: token(f"<|{name}|>") for name in ("translate", "transcribe")},
        "prev_sot_token_id": token("<|startofprev|>"),
        "alignment_heads": [[0, 0]],
        "max_initial_timestamp_index": 50,
        "is_multilingual": True,
        "suppress_tokens": [],
        "begin_suppress_tokens": [token("<|endoftext|>")],
    }


def save_tiny_pt(file: Path, seed: int = 0, vocabulary: int = 51865) -> Path:
    """A checkpoint of the `whisper` package: its dimensions and weights in one file.

    The vocabulary's size says what the checkpoint is: 51864 English only, 51865 multilingual.
    """
    import torch
    from whisper.model import ModelDimensions, Whisper

    dims = ModelDimensions(
        n_mels=80,
        n_audio_ctx=1500,
        n_audio_state=_WIDTH,
        n_audio_head=2,
        n_audio_layer=1,
        n_vocab=vocabulary,
        n_text_ctx=64,
        n_text_state=_WIDTH,
        n_text_head=2,
        n_text_layer=1,
    )
    torch.manual_seed(seed)
    model = Whisper(dims)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    torch.save({"dims": dims.__dict__, "model_state_dict": model.state_dict()}, file)
    return file
