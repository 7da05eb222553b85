"""Random image-text-to-text checkpoints, of the classes that published ones have.

They have every layer, token and file that a published checkpoint has, and know nothing: what they
write is letters at random, always the same for the same frames.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

PATCH_PX = 16
_WIDTH = 32
_CHAT = (
    "{% for message in messages %}<|user|>{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def save_tiny_qwen3_vl(folder: Path, seed: int = 0) -> Path:
    """A Qwen3VLForConditionalGeneration, the class of the full profile's model."""
    from transformers import (
        Qwen2VLImageProcessorPil,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )

    marks = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = _tokenizer(marks, "<|vision_start|><|image_pad|><|vision_end|>")
    token = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            **_text(tokenizer),
            "head_dim": 16,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 3, 3],
                "rope_theta": 1e4,
            },
        },
        vision_config={
            "depth": 1,
            "hidden_size": _WIDTH,
            "intermediate_size": 2 * _WIDTH,
            "num_heads": 2,
            "patch_size": PATCH_PX,
            "out_hidden_size": _WIDTH,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    _save(Qwen3VLForConditionalGeneration, config, tokenizer, folder, seed)
    Qwen2VLImageProcessorPil(
        patch_size=PATCH_PX, size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
    ).save_pretrained(folder)
    _name_torchvision_classes(folder / "preprocessor_config.json")
    return folder


def _name_torchvision_classes(file: Path) -> None:
    """As published: the picture processor is torchvision's, and there is one for videos too."""
    settings = json.loads(file.read_text())
    settings |= {"image_processor_type": "Qwen2VLImageProcessorFast"}
    settings |= {"processor_class": "Qwen3VLProcessor"}
    file.write_text(json.dumps(settings))
    settings |= {"video_processor_type": "Qwen3VLVideoProcessor"}
    file.with_name("video_preprocessor_config.json").write_text(json.dumps(settings))


def save_tiny_idefics3(folder: Path, seed: int = 0) -> Path:
    """An Idefics3ForConditionalGeneration, the class of the first SmolVLM."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    marks = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    tokenizer = _tokenizer(marks, "<image>")
    config = Idefics3Config(
        text_config={**_text(tokenizer), "model_type": "llama"},
        vision_config={**_TOWER, "image_size": 64, "patch_size": PATCH_PX},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 128}, max_image_size={"longest_edge": 64}
    )
    processor = Idefics3Processor(
        pictures, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template
    )
    _save(Idefics3ForConditionalGeneration, config, tokenizer, folder, seed)
    processor.save_pretrained(folder)
    return folder


def save_tiny_llava(folder: Path, seed: int = 0) -> Path:
    """A LlavaForConditionalGeneration: frames of one size, whatever their shape."""
    from transformers import (
        CLIPImageProcessorPil,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _tokenizer(["<image>"], "<image>")
    config = LlavaConfig(
        text_config={**_text(tokenizer), "model_type": "llama"},
        vision_config={
            **_TOWER,
            "model_type": "clip_vision_model",
            "image_size": 32,
            "patch_size": PATCH_PX,
            "projection_dim": _WIDTH,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    processor = LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    _save(LlavaForConditionalGeneration, config, tokenizer, folder, seed)
    processor.save_pretrained(folder)
    return folder


_TOWER: dict[str, Any] = {
    "hidden_size": _WIDTH,
    "intermediate_size": 2 * _WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        **_TOWER,
        "vocab_size": len(tokenizer),
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _tokenizer(marks: list[str], image: str) -> Any:
    """Bytes as words, then the special tokens; ``image`` is what stands for a picture."""
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|user|>", "<|assistant|>", *marks],
        chat_template=_CHAT.replace("IMAGE", image),
    )


def _save(model_class: Any, config: Any, tokenizer: Any, folder: Path, seed: int) -> None:
    import torch
    from transformers import GenerationConfig

    torch.manual_seed(seed)
    model = model_class(config).eval()
    with torch.no_grad():
        for weights in (w for w in model.parameters() if w.ndim > 1):
            weights.normal_(0.0, 2 / math.sqrt(weights[0].numel()))
        # A letter's own vector would drown what is seen, and the same letter follow for ever.
        model.get_input_embeddings().weight.mul_(0.1)
    letters = {tokenizer.convert_tokens_to_ids(c) for c in "abcdefghijklmnopqrstuvwxyz.Ġ"}
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,  # as some published checkpoints have it; captions must not be drawn by lot
        temperature=0.7,
        suppress_tokens=[i for i in range(len(tokenizer)) if i not in letters],
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
