"""Captions of videos by tiny random models of the published classes: no claim of quality."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from assets.stores.models import OFF, captions
from assets.stores.resources import Models
from ml.captions.captioner import MAX_FRAMES, VideoCaptioner, cleaned, few_frames, load_captioner
from ml.failures import ModelUnavailable
from ml.schemas import CAPTIONS, FRAMES
from tests.unit.captions.tiny_vlm import save_tiny_idefics3, save_tiny_llava, save_tiny_qwen3_vl

pytestmark = pytest.mark.slow

Save = Callable[..., Path]
ALL: list[Save] = [save_tiny_qwen3_vl, save_tiny_idefics3, save_tiny_llava]


@pytest.fixture(scope="module", autouse=True)
def short_captions() -> Any:
    """What is tested shows in sixteen tokens as well as in all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml.captions.captioner.MAX_NEW_TOKENS", 16)
        yield


@pytest.fixture(scope="module", params=ALL, ids=lambda save: save.__name__)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    save: Save = request.param
    return save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def captioner(checkpoint: Path) -> VideoCaptioner:
    return load_captioner(str(checkpoint), profile="full")


@pytest.fixture(scope="module")
def idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_idefics3(tmp_path_factory.mktemp("models") / "idefics3")


def jpeg(seed: int, width: int, height: int) -> bytes:
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(corners).resize((width, height)).save(out, "JPEG")
    return out.getvalue()


def video(
    name: str, count: int, width: int = 96, height: int = 54, duration_s: float = 1.0
) -> pa.RecordBatch:
    rows = [
        {
            "video_id": name,
            "frame_no": 25 * number,
            "start_s": duration_s * number,
            "duration_s": duration_s,
            "is_shot_start": number == 0,
            "width": width,
            "height": height,
            "jpeg": jpeg(ord(name[0]) + number, width, height),
        }
        for number in range(count)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)


def described(captioner: VideoCaptioner, videos: Sequence[pa.RecordBatch]) -> list[dict[str, Any]]:
    return pa.Table.from_batches(captioner.describe(videos), schema=CAPTIONS.schema).to_pylist()


UNLIKE = (video("a", 3), video("b", 20, 54, 96), video("c", 1, 800, 600))


def test_each_video_has_a_caption_of_one_line(captioner: VideoCaptioner) -> None:
    rows = described(captioner, UNLIKE)
    assert [(row["video_id"], row["frame_count"]) for row in rows] == [("a", 3), ("b", 8), ("c", 1)]
    assert {row["language"] for row in rows} == {"en"}
    for row in rows:
        assert row["caption"] == " ".join(row["caption"].split()) != ""
        assert "<" not in row["caption"]


def test_what_shares_a_step_changes_no_caption(captioner: VideoCaptioner) -> None:
    assert captioner.batch_size == 4
    together = described(captioner, UNLIKE)
    alone = [described(captioner, [one])[0] for one in UNLIKE]
    assert together == alone


def test_caption_depends_on_the_frames_alone(captioner: VideoCaptioner) -> None:
    """The checkpoints ask for drawing by lot, as some published ones do."""
    first, again, other = (described(captioner, [video(name, 4)])[0] for name in "aaz")
    assert first == again
    assert first["caption"] != other["caption"]


def test_model_is_named_by_folder_and_weights(checkpoint: Path, captioner: VideoCaptioner) -> None:
    (row,) = described(captioner, UNLIKE[:1])
    assert row["model"].startswith("tiny@")
    named = Models(profile_name="full", captions=str(checkpoint)).captioner().identity
    assert named == f"{row['model']}+captions-1+en"


def test_caption_is_what_transformers_alone_writes(idefics3: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from ml.captions.captioner import PROMPTS

    processor = AutoProcessor.from_pretrained(idefics3, backend="pil")
    network: Any = AutoModelForImageTextToText.from_pretrained(idefics3)
    pictures = [Image.open(io.BytesIO(jpeg(ord("a") + n, 96, 54))) for n in range(3)]
    shown = [{"type": "image", "image": picture} for picture in pictures]
    said = [{"role": "user", "content": [*shown, {"type": "text", "text": PROMPTS["en"]}]}]
    prompt = processor.apply_chat_template(said, add_generation_prompt=True)
    inputs = processor(text=prompt, images=pictures, do_image_splitting=False, return_tensors="pt")
    tokens = network.generate(**inputs, do_sample=False, max_new_tokens=16)
    written = processor.decode(tokens[0, inputs["input_ids"].shape[1] :])
    (row,) = described(load_captioner(str(idefics3), profile="full"), UNLIKE[:1])
    assert row["caption"] == cleaned(written, ended=False)


def test_another_language_is_another_prompt_and_another_identity(idefics3: Path) -> None:
    russian = load_captioner(str(idefics3), profile="full", language="ru")
    english = load_captioner(str(idefics3), profile="full")
    (told,), (said,) = (described(one, UNLIKE[:1]) for one in (russian, english))
    assert told["language"] == "ru"
    assert told["caption"] != said["caption"]
    asked = Models(profile_name="full", captions=str(idefics3), captions_language="ru")
    assert captions(asked).identity.endswith("+ru")


def test_language_without_a_prompt_is_an_error(idefics3: Path) -> None:
    with pytest.raises(ValueError, match="no captions in 'xx'; there are: en, ru"):
        load_captioner(str(idefics3), profile="full", language="xx")


def test_no_frames_give_no_row(idefics3: Path) -> None:
    captioner = load_captioner(str(idefics3), profile="full")
    assert described(captioner, []) == []
    assert described(captioner, [UNLIKE[0].slice(0, 0), UNLIKE[1]])[0]["video_id"] == "b"


def test_model_that_says_nothing_gives_no_row(
    idefics3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = load_captioner(str(idefics3), profile="full")
    monkeypatch.setattr(captioner, "_captions", lambda videos: ["", "A cat.", ""][: len(videos)])
    assert [row["video_id"] for row in described(captioner, UNLIKE)] == ["b"]


def test_step_is_halved_until_it_fits(idefics3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = load_captioner(str(idefics3), profile="full")
    whole, fits, sizes = described(captioner, UNLIKE), captioner._captions, list[int]()

    def small_device(videos: Sequence[list[bytes]]) -> list[str]:
        sizes.append(len(videos))
        if len(videos) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fits(videos)

    monkeypatch.setattr(captioner, "_captions", small_device)
    assert described(captioner, UNLIKE) == whole
    assert sizes == [3, 1, 1, 1]


def test_processor_that_takes_one_video_at_a_time_gets_one(
    idefics3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = described(load_captioner(str(idefics3), profile="full"), UNLIKE)
    inputs = VideoCaptioner._inputs

    def single(self: VideoCaptioner, conversations: list[Any]) -> Any:
        if len(conversations) > 1:
            raise ValueError("Unable to create tensor")
        return inputs(self, conversations)

    monkeypatch.setattr(VideoCaptioner, "_inputs", single)
    captioner = load_captioner(str(idefics3), profile="full")
    assert captioner.batch_size == 1
    assert described(captioner, UNLIKE) == whole


# ---------------------------------------------------------------- which frames


def _places(*parts: pa.RecordBatch) -> list[list[int]]:
    jpegs = [one for part in parts for one in part.column("jpeg").to_pylist()]
    return [[jpegs.index(one) for one in chosen] for _, chosen in few_frames(parts)]


def test_frames_are_spread_evenly_over_the_time() -> None:
    assert _places(video("a", 16)) == [[1, 3, 5, 7, 9, 11, 13, 15]]
    assert _places(video("a", 5)) == [[0, 1, 2, 3, 4]]


def test_frame_that_stands_long_is_given_once() -> None:
    busy = video("a", 20, duration_s=1.0).to_pylist()
    still = busy[-1] | {"duration_s": 180.0}
    stream = pa.RecordBatch.from_pylist([*busy[:-1], still], schema=FRAMES.schema)
    assert _places(stream) == [[12, 19]]


def test_frames_of_a_very_long_video_are_spread_over_all_of_it() -> None:
    (first,) = video("a", 1).to_pylist()
    rows = [first | {"start_s": float(n), "jpeg": str(n).encode()} for n in range(5000)]
    stream = pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)
    parts = [stream.slice(start, 700) for start in range(0, 5000, 700)]
    ((_, chosen),) = few_frames(parts)
    middles = (np.arange(MAX_FRAMES) + 0.5) / MAX_FRAMES * 5000
    assert np.abs(np.array([int(place) for place in chosen]) - middles).max() < 0.02 * 5000


# ---------------------------------------------------------------- words


def test_caption_is_one_paragraph_without_loops() -> None:
    text = "  A cat sits.\n\n It looks. It looks. It looks.\tThe end. "
    assert cleaned(text, ended=True) == "A cat sits. It looks. The end."


def test_caption_cut_in_a_sentence_loses_that_sentence() -> None:
    assert cleaned("A cat sits. It looks at a do", ended=False) == "A cat sits."
    assert cleaned("A cat sits. It looks at a dog", ended=True) == "A cat sits. It looks at a dog"
    assert cleaned("A cat that looks at \ufffd", ended=False) == "A cat that looks at"


# ---------------------------------------------------------------- what is wrong


def test_model_that_is_nowhere_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"nowhere.*profile 'full'.*kadr models pull"):
        load_captioner(str(tmp_path / "nowhere"), profile="full")


def test_checkpoint_without_all_weights_is_refused(idefics3: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    lame = Path(shutil.copytree(idefics3, tmp_path / "lame"))
    weights = load_file(lame / "model.safetensors")
    del weights["model.connector.modality_projection.proj.weight"]
    save_file(weights, lame / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="lacks 1 of its weights"):
        load_captioner(str(lame), profile="full")


def test_model_that_takes_no_conversation_is_refused(idefics3: Path, tmp_path: Path) -> None:
    mute = Path(shutil.copytree(idefics3, tmp_path / "mute"))
    (mute / "chat_template.jinja").unlink()
    with pytest.raises(ModelUnavailable, match="takes no conversation with pictures"):
        load_captioner(str(mute), profile="full")


def test_model_whose_template_takes_no_pictures_is_refused(idefics3: Path, tmp_path: Path) -> None:
    blind = Path(shutil.copytree(idefics3, tmp_path / "blind"))
    (blind / "chat_template.jinja").write_text("{{ messages[0]['content'][-1]['text'] }}")
    with pytest.raises(ModelUnavailable, match=r"blind.*'full'.*image"):
        load_captioner(str(blind), profile="full")


def test_captions_are_off_but_in_the_full_profile() -> None:
    assert [Models(profile_name=name).captioner().identity for name in ("embedded", "base")] == [
        OFF,
        OFF,
    ]
    assert Models(profile_name="full").profile.captions == "Qwen/Qwen3-VL-2B-Instruct"


def test_models_pull_finds_a_local_model(idefics3: Path) -> None:
    here = Models(speech=OFF, ocr=OFF, visual=OFF, text=OFF, faces=OFF, captions=str(idefics3))
    pulled = dict(here.fetch())
    assert pulled[str(idefics3)] == str(idefics3)
