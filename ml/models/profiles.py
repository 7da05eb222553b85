"""Which model does what, by profile. The one table; `KADR_PROFILE` picks a row set.

``packaged:`` names a model that comes inside an installed package, so it loads without a network.
Everything else is a hub id, or the path of a local copy. ``off`` turns a channel off.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Profile:
    """Model ids for each channel. An id may carry a revision: ``name@revision``."""

    name: str
    speech: str
    ocr: str
    visual: str
    text: str
    faces: str
    captions: str


PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile(
            "embedded",
            speech="packaged:pocketsphinx-en-us",
            ocr="packaged:rapidocr",
            visual="packaged:layout-descriptor",
            text="packaged:all-MiniLM-L6-v2",
            faces="packaged:mtcnn-dlib",
            captions="off",
        ),
        Profile(
            "base",
            speech="openai/whisper-small",
            ocr="rapidocr:eslav",
            visual="google/siglip2-base-patch16-224",
            text="intfloat/multilingual-e5-small",
            faces="packaged:mtcnn-dlib",
            captions="off",
        ),
        Profile(
            "full",
            speech="openai/whisper-large-v3-turbo",
            ocr="rapidocr:eslav",
            visual="google/siglip2-large-patch16-384",
            text="intfloat/multilingual-e5-large",
            faces="fal/AuraFace-v1",
            # Apache 2.0; Qwen2.5-VL of 3B, its neighbour, may not be used commercially.
            captions="Qwen/Qwen3-VL-2B-Instruct",
        ),
    )
}


def profile(name: str, **overrides: str | None) -> Profile:
    """The named profile with single models replaced.

    Raises:
        ValueError: no such profile, or an override for a channel that does not exist.
    """
    if name not in PROFILES:
        raise ValueError(f"no profile {name!r}; there are: {', '.join(PROFILES)}")
    unknown = set(overrides) - {f.name for f in fields(Profile)}
    if unknown:
        raise ValueError(f"no channel {', '.join(sorted(unknown))} in a profile")
    return replace(PROFILES[name], **{k: v for k, v in overrides.items() if v})
