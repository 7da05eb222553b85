"""Full-size models with random weights: speed does not depend on them; no quality is claimed."""

from __future__ import annotations

from pathlib import Path


def clip_vit_b32(folder: Path) -> Path:
    """CLIP ViT-B/32 (Radford et al. 2021) as transformers saves it; made once."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    if not folder.exists():
        CLIPModel(CLIPConfig()).save_pretrained(folder)
        CLIPImageProcessorPil().save_pretrained(folder)
    return folder
