"""Small models with random weights, of the classes that the real ones have, saved to a folder.

They exercise loading, preprocessing and batching; what they compute means nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE_PX = 32
_WORDS = ["a", "red", "blue", "cat", "dog", "the", "of", "query", "passage", ":", "hello", "world"]


def save_clip(folder: Path, seed: int = 0) -> Path:
    """A CLIPModel of 16 dimensions with its image processor and tokenizer."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    text = {**_TOWER, "vocab_size": 32, "max_position_embeddings": 16, "eos_token_id": 2}
    vision = {**_TOWER, "image_size": SIDE_PX, "patch_size": 16}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    _seeded(CLIPModel, config, seed).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIDE_PX}, crop_size={"height": SIDE_PX, "width": SIDE_PX}
    ).save_pretrained(folder)
    _save_tokenizer(folder, length=16)
    return folder


def save_siglip(folder: Path) -> Path:
    """A SiglipModel of 16 dimensions, the class of SigLIP2's checkpoints of fixed resolution."""
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    text = {**_TOWER, "vocab_size": 32, "max_position_embeddings": 16, "projection_size": 16}
    vision = {**_TOWER, "image_size": SIDE_PX, "patch_size": 16}
    _seeded(SiglipModel, SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(
        folder
    )
    SiglipImageProcessorPil(size={"height": SIDE_PX, "width": SIDE_PX}).save_pretrained(folder)
    _save_tokenizer(folder, length=16)
    return folder


def save_siglip2(folder: Path) -> Path:
    """A Siglip2Model of 16 dimensions, the class of checkpoints with variable resolution."""
    from transformers import Siglip2Config, Siglip2ImageProcessorPil, Siglip2Model

    text = {**_TOWER, "vocab_size": 32, "max_position_embeddings": 16, "projection_size": 16}
    vision = {**_TOWER, "num_patches": 16, "patch_size": 8}
    _seeded(Siglip2Model, Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(
        folder
    )
    Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(folder)
    _save_tokenizer(folder, length=16)
    return folder


def save_backbone(folder: Path) -> Path:
    """A ViTModel: an image backbone without a text tower."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    config = ViTConfig(image_size=SIDE_PX, patch_size=16, **_TOWER)
    _seeded(ViTModel, config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE_PX, "width": SIDE_PX}).save_pretrained(folder)
    return folder


def save_bert(folder: Path) -> Path:
    """A BertModel with 16 dimensions and inputs of at most 14 tokens."""
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=32, max_position_embeddings=16, **_TOWER)
    _seeded(BertModel, config).save_pretrained(folder)
    _save_tokenizer(folder, length=14)
    return folder


def save_xlm_roberta(folder: Path) -> Path:
    """An XLMRobertaModel, the class of multilingual e5."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig(
        vocab_size=32, max_position_embeddings=34, pad_token_id=0, bos_token_id=1, **_TOWER
    )
    _seeded(XLMRobertaModel, config).save_pretrained(folder)
    _save_tokenizer(folder, length=32)
    return folder


_TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def _seeded(model_class: Any, config: Any, seed: int = 0) -> Any:
    import torch

    torch.manual_seed(seed)
    return model_class(config).eval()


def _save_tokenizer(folder: Path, length: int) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: i for i, word in enumerate(specials + _WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
