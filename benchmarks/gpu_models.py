"""The models of the profiles `base` and `full` with random weights, as transformers saves them.

Speed does not depend on weights; no quality is claimed. With ``tiny`` the same classes have a few
layers of 16 numbers, so that the benchmark's own code can be tried on any machine. Text towers of
image models are not run and stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TINY: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_SMALL_TEXT = {**_TINY, "vocab_size": 64, "max_position_embeddings": 16}
_E5_LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}
# Half of it bounds a text: 150 tokens are 30 s of fast speech.
_WHISPER_POSITIONS = 300
# Every text is as long as it may be: the token that ends it is never taken.
WORDS = 2000


@dataclass(frozen=True)
class Tower:
    """An image tower: its picture's side, patches and size."""

    name: str
    side_px: int
    patch_px: int
    width: int
    layers: int
    heads: int


VIT_B32 = Tower("CLIP ViT-B/32", 224, 32, 768, 12, 12)
SIGLIP2_BASE = Tower("SigLIP2 base, 224 px", 224, 16, 768, 12, 12)
SIGLIP2_LARGE = Tower("SigLIP2 large, 384 px", 384, 16, 1024, 24, 16)
TOWERS = (VIT_B32, SIGLIP2_BASE, SIGLIP2_LARGE)


def save_tower(tower: Tower, folder: Path, *, tiny: bool) -> Path:
    """The tower with its image processor; made once."""
    if (folder / "config.json").exists():
        return folder
    side, patch = (32, 16) if tiny else (tower.side_px, tower.patch_px)
    vision = {"image_size": side, "patch_size": patch, **(_TINY if tiny else _size(tower))}
    save = _save_clip if tower is VIT_B32 else _save_siglip
    save(vision, side, folder)
    return folder


def _size(tower: Tower) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": 4 * tower.width,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": tower.heads,
    }


def _save_clip(vision: dict[str, Any], side: int, folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    _seed()
    text = {**_SMALL_TEXT, "bos_token_id": 1, "eos_token_id": 2}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    ).save_pretrained(folder)


def _save_siglip(vision: dict[str, Any], side: int, folder: Path) -> None:
    """SigLIP2's checkpoints of fixed resolution are of this class."""
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    _seed()
    text = {**_SMALL_TEXT, "projection_size": vision["hidden_size"]}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": side, "width": side}, resample=2).save_pretrained(
        folder
    )


def save_e5(folder: Path, *, tiny: bool) -> Path:
    """Multilingual e5 large, whose words are ``w0`` to ``w1999``; made once."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    if (folder / "config.json").exists():
        return folder
    _seed()
    config = XLMRobertaConfig(
        vocab_size=WORDS + 4 if tiny else 250_002,
        max_position_embeddings=514,
        pad_token_id=0,
        bos_token_id=1,
        **(_TINY if tiny else _E5_LARGE),
    )
    XLMRobertaModel(config).save_pretrained(folder)
    _save_words(folder)
    return folder


def _save_words(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "<unk>", *(f"w{i}" for i in range(WORDS))]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)


def save_whisper(folder: Path, *, tiny: bool) -> Path:
    """Whisper large-v3-turbo, which never ends a text by itself; made once."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    if (folder / "config.json").exists():
        return folder
    tokenizer = _whisper_tokenizer()
    token = tokenizer.convert_tokens_to_ids
    width, encoder, decoder, heads = (16, 1, 1, 2) if tiny else (1280, 32, 4, 20)
    mels = 80 if tiny else 128
    _seed()
    config = WhisperConfig(
        vocab_size=len(tokenizer) if tiny else 51_866,
        num_mel_bins=mels,
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_target_positions=64 if tiny else _WHISPER_POSITIONS,
        decoder_start_token_id=token("<|startoftranscript|>"),
        bos_token_id=token("<|endoftext|>"),
        eos_token_id=token("<|endoftext|>"),
        pad_token_id=token("<|endoftext|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**_generation(token))
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=mels), tokenizer).save_pretrained(folder)
    return folder


def _generation(token: Any) -> dict[str, Any]:
    end = token("<|endoftext|>")
    return {
        "decoder_start_token_id": token("<|startoftranscript|>"),
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "no_timestamps_token_id": token("<|notimestamps|>"),
        "lang_to_id": {"<|en|>": token("<|en|>"), "<|ru|>": token("<|ru|>")},
        "task_to_id": {name: token(f"<|{name}|>") for name in ("translate", "transcribe")},
        "prev_sot_token_id": token("<|startofprev|>"),
        "max_initial_timestamp_index": 50,
        "is_multilingual": True,
        "suppress_tokens": [end],
        "begin_suppress_tokens": [],
    }


def _whisper_tokenizer() -> Any:
    """Bytes as words, then Whisper's special tokens in Whisper's order."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import WhisperTokenizer

    words = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    tokenizer = WhisperTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], unk_token="<|endoftext|>"
    )
    special = ["<|startoftranscript|>", "<|en|>", "<|ru|>", "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    return tokenizer


def _seed() -> None:
    import torch

    torch.manual_seed(0)
