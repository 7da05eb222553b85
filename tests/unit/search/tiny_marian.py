"""A random translation model of Marian's class, saved as the published ones are.

What it writes means nothing, and is always the same for the same text.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

SENTENCES = (
    "белая кошка спит на диване",
    "как приготовить вкусный пирог дома",
    "обзор новой машины и двигателя",
    "смешные собаки играют зимой в снегу",
    "рыбалка зимой на реке",
    "a white cat sleeps on the sofa",
    "how to bake a tasty pie at home",
    "review of a new car and its engine",
    "funny dogs play in the snow in winter",
    "winter fishing on the river",
)
PIECES = 70


def save_marian(
    folder: Path,
    *,
    source: str = "ru",
    target: str = "en",
    seed: int = 0,
    never_ends: bool = False,
    says_nothing: bool = False,
) -> Path:
    """A MarianMTModel with a vocabulary learnt from ten sentences.

    Args:
        folder: made if absent.
        source, target: as the tokenizer names its languages.
        seed: of the weights.
        never_ends: it never writes the end of a text by itself.
        says_nothing: it writes nothing else.
    """
    from transformers import MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _save_vocabulary(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer = MarianTokenizer(
            source_spm=str(folder / "source.spm"),
            target_spm=str(folder / "target.spm"),
            vocab=str(folder / "vocab.json"),
            source_lang=source,
            target_lang=target,
            model_max_length=128,
        )
    tokenizer.save_pretrained(folder)
    _save_network(folder, vocabulary, seed, 1e4 if says_nothing else -1e4 if never_ends else 0.0)
    return folder


def as_published(folder: Path) -> Path:
    """The checkpoint as older ones lie on the hub: a pickle without tied and computed weights."""
    import torch
    from safetensors.torch import load_file

    file = folder / "model.safetensors"
    computed = ("embed_positions", "lm_head", "encoder.embed_tokens", "decoder.embed_tokens")
    weights = {k: v for k, v in load_file(file).items() if not any(part in k for part in computed)}
    torch.save(weights, folder / "pytorch_model.bin")
    file.unlink()
    return folder


def _save_vocabulary(folder: Path) -> dict[str, int]:
    """The sentencepiece files and ``vocab.json``, in Marian's order: end, unknown, pieces, pad."""
    import sentencepiece

    for name in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_prefix=str(folder / name),
            vocab_size=PIECES,
            minloglevel=2,
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        (folder / f"{name}.vocab").unlink()
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    kept = [p for p in pieces if p not in ("<unk>", "<s>", "</s>")]
    vocabulary = {piece: i for i, piece in enumerate(["</s>", "<unk>", *kept, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return vocabulary


def _save_network(folder: Path, vocabulary: dict[str, int], seed: int, end_bias: float) -> None:
    import torch
    from transformers import MarianConfig, MarianMTModel

    pad, end = vocabulary["<pad>"], vocabulary["</s>"]
    config = MarianConfig(
        vocab_size=len(vocabulary),
        decoder_vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=128,
        pad_token_id=pad,
        eos_token_id=end,
        forced_eos_token_id=end,
        decoder_start_token_id=pad,
        init_std=0.5,
        # As published: the settings of generation allow 512 and mark the pad as a bad word.
        bad_words_ids=[[pad]],
        max_length=512,
    )
    torch.manual_seed(seed)
    network = MarianMTModel(config).eval()
    network.final_logits_bias[0, end] = end_bias
    network.generation_config.bad_words_ids = [[pad]]
    network.generation_config.max_length = 512
    network.save_pretrained(folder)
