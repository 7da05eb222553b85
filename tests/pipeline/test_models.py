"""Learned models through the real loaders: small random ones of the same classes, by path.

Nothing is claimed of what they say; only that they are loaded, run, named, and run again when they
change.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.source.cutting import ingest
from assets.stores.resources import Library
from assets.tags.model import tag_model
from assets.tags.video_tags import tags
from ml.schemas import ASR, TEXT, VISUAL
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.unit.captions.tiny_vlm import save_tiny_qwen3_vl
from tests.unit.media.clips import moving_box, write_clip
from tests.unit.speech.sounds import speech
from tests.unit.speech.tiny_whisper import save_tiny_whisper
from tests.unit.visual.tiny_clip import save_clip, save_xlm_roberta


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "speech_model": str(save_tiny_whisper(folder / "whisper")),
        "visual_model": str(save_clip(folder / "clip")),
        "text_model": str(save_xlm_roberta(folder / "tiny-e5")),
        "captions_model": str(save_tiny_qwen3_vl(folder / "vlm")),
        "ocr_model": "off",
    }


def _clips(folder: Path) -> Path:
    folder.mkdir()
    for name in ("moon", "soup"):
        sound = speech(name)[None]
        seconds = sound.shape[1] / 16_000
        write_clip(
            folder / f"{name}.mp4",
            moving_box,
            frames=round(10 * seconds),
            sound=sound,
            sound_rate=16_000,
            sound_layout="mono",
        )
    return folder


def _run(settings: Settings, batch: str) -> dict[str, int]:
    """Run the batch job; videos computed by each dataset's step."""
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("batches", [batch])
        job = build_defs(settings).resolve_job_def("batch")
        result = job.execute_in_process(partition_key=batch, instance=instance)
        events = result.get_asset_materialization_events()
    made = (event.step_materialization_data.materialization for event in events)
    return {
        m.asset_key.to_user_string(): int(m.metadata["computed"].value)  # type: ignore[arg-type]
        for m in made
        if "computed" in m.metadata
    }


def _how_filed(settings: Settings) -> str:
    """By what the library's videos are compared with tags."""
    done = dg.materialize([tag_model, tags], resources=build_defs(settings).resources)
    (made,) = done.asset_materializations_for_node("tags")[1:]
    return str(made.metadata["how"].value)


def test_models_given_by_path_are_used_named_and_rerun_when_they_change(
    models: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings(data=str(tmp_path / "data"), workers=1, device="cpu", **models)  # type: ignore[arg-type]
    library: Library = (build_defs(settings).resources or {})["library"]
    source = str(_clips(tmp_path / "clips"))
    (batch,) = ingest(source, library.batches, date(2026, 11, 20), 100).batches
    everything = {"videos": 2, "asr": 2, "ocr": 0, "visual": 2, "text": 2}
    everything |= {"copy_descriptors": 2, "audio_fingerprints": 2, "duplicate_pairs": 2}
    everything |= {"faces": 2, "persons": 2, "captions": 2}
    everything |= {"passages": 2, "passage_embeddings": 2}
    assert _run(settings, batch) == everything
    store = library.datasets
    for dataset, name in ((VISUAL, "clip@"), (TEXT, "tiny-e5@")):
        made_by = set(store.table(dataset, batch).column("model").to_pylist())
        assert len(made_by) == 1
        assert made_by.pop().startswith(name)
    assert all(
        m.startswith("whisper@") for m in store.table(ASR, batch).column("model").to_pylist()
    )
    assert _run(settings, batch) == dict.fromkeys(everything, 0)
    assert _how_filed(settings) == "compared by words and texts' vectors and pictures' vectors"

    save_clip(Path(models["visual_model"]), seed=7)
    assert _run(settings, batch) == dict.fromkeys(everything, 0) | {"visual": 2}
