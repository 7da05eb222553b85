"""Frame embeddings: the packaged descriptor, and the transformers path with tiny random models."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from skimage import data

from ml.failures import ModelUnavailable
from ml.models.device import pick_device
from ml.models.loading import fetch, identity, load_model
from ml.schemas import FRAMES, VISUAL
from ml.visual.embedder import (
    LearnedEmbedder,
    Preparation,
    Prepared,
    TextSearchOff,
    layout_descriptor,
    load_image_embedder,
    load_text_tower,
    unit,
)
from tests.unit.visual import tiny_clip

PACKAGED = "packaged:layout-descriptor"
Pictures = list[np.ndarray]
Edit = Callable[[np.ndarray], np.ndarray]
Save = Callable[[Path], Path]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    names = ("astronaut", "coffee", "chelsea", "camera", "rocket", "brick", "coins", "moon")
    images = [Image.fromarray(np.asarray(getattr(data, n)())).convert("RGB") for n in names]
    return [np.asarray(image.resize((320, 180))) for image in images]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.save_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


def jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def frames(pictures: Sequence[np.ndarray], video_id: str = "v") -> pa.RecordBatch:
    rows = [
        {
            "video_id": video_id,
            "frame_no": 25 * i,
            "start_s": float(i),
            "duration_s": 1.0,
            "is_shot_start": i == 0,
            "width": p.shape[1],
            "height": p.shape[0],
            "jpeg": jpeg(p),
        }
        for i, p in enumerate(pictures)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)


def vectors(batches: Sequence[pa.RecordBatch]) -> np.ndarray:
    table = pa.Table.from_batches(batches, schema=VISUAL.schema)
    return np.array(table["embedding"].to_pylist(), np.float32)


def recompressed(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg(picture, quality=30))))


def scaled(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((160, 120)))


def cropped(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[9:-9, 16:-16])


@pytest.mark.parametrize("edit", [recompressed, scaled, cropped])
def test_copy_is_nearer_to_its_original_than_any_other_picture(
    pictures: Pictures, edit: Edit
) -> None:
    originals = np.stack([layout_descriptor(p) for p in pictures])
    copies = np.stack([layout_descriptor(edit(p)) for p in pictures])
    assert (copies @ originals.T).argmax(axis=1).tolist() == list(range(len(pictures)))


def test_same_shot_is_far_above_other_shots(pictures: Pictures) -> None:
    originals = np.stack([layout_descriptor(p) for p in pictures])
    same = [
        float(layout_descriptor(recompressed(p)) @ o)
        for p, o in zip(pictures, originals, strict=True)
    ]
    others = (originals @ originals.T)[~np.eye(len(pictures), dtype=bool)]
    assert min(same) > 0.9
    assert others.mean() < 0.4


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_flat_picture_has_a_unit_vector(grey: int) -> None:
    vector = layout_descriptor(np.full((90, 160, 3), grey, np.uint8))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_rows_follow_the_frames_across_videos_and_batches(pictures: Pictures) -> None:
    embedder = load_image_embedder(PACKAGED, profile="embedded")
    both = [frames(pictures[:3], "a"), frames(pictures[3:], "b")]
    out = list(embedder.embed(iter(both)))
    table = pa.Table.from_batches(out)
    assert all(batch.schema.equals(VISUAL.schema, check_metadata=False) for batch in out)
    assert table["video_id"].to_pylist() == ["a"] * 3 + ["b"] * 5
    assert table["frame_no"].to_pylist() == [0, 25, 50, 0, 25, 50, 75, 100]
    assert set(table["model"].to_pylist()) == {embedder.model}
    assert vectors(out).shape == (8, embedder.dimension)
    assert np.allclose(np.linalg.norm(vectors(out), axis=1), 1, atol=1e-5)


def test_no_frames_give_no_rows() -> None:
    embedder = load_image_embedder(PACKAGED, profile="embedded")
    assert list(embedder.embed(iter([]))) == []


def test_reader_is_pulled_only_as_far_as_batches_are_prepared_ahead(pictures: Pictures) -> None:
    pulled = 0

    def reader() -> Iterator[pa.RecordBatch]:
        nonlocal pulled
        for _ in range(100):
            pulled += 1
            yield frames([pictures[0]] * 8)

    stream = load_image_embedder(PACKAGED, profile="embedded").embed(reader())
    next(stream)
    assert isinstance(stream, Generator)
    stream.close()
    assert pulled <= 17


@pytest.mark.parametrize(
    "save", [tiny_clip.save_clip, tiny_clip.save_siglip, tiny_clip.save_siglip2]
)
def test_image_text_model_embeds_frames_and_words_alike(
    tmp_path: Path, pictures: Pictures, save: Save
) -> None:
    model_id = str(save(tmp_path / "tiny"))
    embedder = load_image_embedder(model_id, profile="base", batch_size=3)
    found = vectors(list(embedder.embed([frames(pictures)])))
    tower = load_text_tower(model_id, profile="base")
    query = tower.embed_query("a red cat")
    assert found.shape == (len(pictures), 16)
    assert embedder.dimension == tower.dimension == 16
    assert embedder.model == tower.model
    assert embedder.model.startswith("tiny@")
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-5)
    assert np.abs(query - tower.embed_query("the blue dog")).max() > 1e-4


def test_batch_size_does_not_change_the_vectors(clip: Path, pictures: Pictures) -> None:
    one = load_image_embedder(str(clip), profile="base", batch_size=1)
    five = load_image_embedder(str(clip), profile="base", batch_size=5)
    a = vectors(list(one.embed([frames(pictures)])))
    b = vectors(list(five.embed([frames(pictures)])))
    assert np.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "save", [tiny_clip.save_clip, tiny_clip.save_siglip, tiny_clip.save_backbone]
)
def test_own_preparation_is_what_the_models_processor_does(
    tmp_path: Path, pictures: Pictures, save: Save
) -> None:
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(save(tmp_path / "tiny"), backend="pil")
    prepare = Preparation.of(processor)
    assert prepare.plain
    # Tall, wide, square, and smaller than the crop in one direction.
    for shape in ((180, 320), (320, 180), (64, 64), (20, 200)):
        encoded = jpeg(np.asarray(Image.fromarray(pictures[0]).resize(shape)))
        pixels = torch.from_numpy(prepare(encoded)["pixels"][None].copy())
        ours = prepare.normaliser("cpu", torch.float32)(pixels).numpy()
        picture = Image.open(io.BytesIO(encoded)).convert("RGB")
        theirs = np.asarray(processor(images=[picture], return_tensors="np")["pixel_values"])
        assert ours.shape == theirs.shape
        # One of 255 is at most .015 after normalising. Ten times smaller, a fifth is off by one.
        off = np.abs(ours - theirs)
        assert off.max() < 0.04
        assert off.mean() < 0.004


def test_backbone_embeds_frames_and_has_no_words(tmp_path: Path, pictures: Pictures) -> None:
    model_id = str(tiny_clip.save_backbone(tmp_path / "backbone"))
    embedder = load_image_embedder(model_id, profile="base")
    found = vectors(list(embedder.embed([frames(pictures)])))
    assert found.shape == (len(pictures), embedder.dimension)
    with pytest.raises(TextSearchOff, match="text to picture search is off in this profile"):
        load_text_tower(model_id, profile="base")


def test_packaged_descriptor_has_no_words() -> None:
    with pytest.raises(TextSearchOff, match="text to picture search is off in this profile"):
        load_text_tower(PACKAGED, profile="embedded")


def test_batch_is_halved_until_it_fits(
    clip: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = LearnedEmbedder(str(clip), "base", "cpu", batch_size=8)
    fits = embedder._step
    sizes: list[int] = []

    def small_device(prepared: Sequence[Prepared]) -> torch.Tensor:
        sizes.append(len(prepared))
        if len(prepared) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fits(prepared)

    whole = vectors(list(embedder.embed([frames(pictures)])))
    monkeypatch.setattr(embedder, "_step", small_device)
    halved = vectors(list(embedder.embed([frames(pictures)])))
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert np.allclose(whole, halved, atol=1e-5)


def test_unknown_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"nowhere.*profile 'base'.*kadr models pull"):
        load_image_embedder(str(tmp_path / "nowhere"), profile="base")


def test_checkpoint_without_all_weights_is_refused(clip: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    lame = tiny_clip.save_clip(tmp_path / "lame")
    weights = load_file(lame / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, lame / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="lacks 1 of its weights"):
        load_model(str(lame), "base")


def test_local_model_is_named_by_folder_and_weights(clip: Path, tmp_path: Path) -> None:
    import shutil

    twin = Path(shutil.copytree(clip, tmp_path / "tiny-clip"))
    assert identity(str(clip)) == identity(str(twin))
    weights = twin / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert identity(str(clip)) != identity(str(twin))


def test_fetch_of_what_is_here_needs_no_network(clip: Path) -> None:
    assert fetch("off", "embedded") is None
    assert fetch(PACKAGED, "embedded") is None
    assert fetch(str(clip), "base") == clip


def test_vector_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(FloatingPointError):
        unit(np.array([[np.nan, 1.0]]))
    with pytest.raises(FloatingPointError):
        unit(np.zeros((1, 4)))


def test_device_that_is_not_there_is_an_error() -> None:
    if torch.cuda.is_available():
        assert pick_device("auto") == "cuda"
    else:
        assert pick_device("auto") == "cpu"
        with pytest.raises(ValueError, match="no CUDA device"):
            pick_device("cuda:0")
