"""What the project defines, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import dagster as dg

from orchestration.definitions import build_defs
from orchestration.settings import Settings

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("torch", "transformers", "faiss", "chdb", "sklearn", "cv2", "av", "onnxruntime")
HEAVY += ("tantivy", "ray", "kubernetes", "hdbscan")
INDEXES = {"frame_index", "video_index", "title_index", "speech_index", "screen_index"}
INDEXES |= {"lexical_index", "search_cards", "tag_model", "copies_pictures", "copies_sound"}
# Who may import whom: each room, and the rooms it must not know.
FORBIDDEN = {
    "ml": ("dagster", "clickhouse_connect", "assets", "orchestration", "samples", "sql"),
    "assets": ("orchestration", "samples"),
    "samples": ("dagster", "assets", "orchestration", "ml", "sql"),
    "sql": ("dagster", "clickhouse_connect", "assets", "orchestration", "ml"),
}


def _defs(tmp_path: Path) -> dg.Definitions:
    return build_defs(Settings(data=str(tmp_path)))


def test_assets_and_jobs_are_these(tmp_path: Path) -> None:
    defs = _defs(tmp_path)
    keys = {k.to_user_string() for k in defs.resolve_asset_graph().get_all_asset_keys()}
    tables = ("videos", "frames", "asr_segments", "ocr_lines", "frame_embeddings", "video_texts")
    tables += ("video_embeddings", "topics", "video_topics", "topic_changes")
    tables += ("faces", "people", "video_people", "people_changes")
    tables += ("duplicate_pairs", "duplicate_groups", "copyright_hits")
    tables += ("captions", "tags", "video_tags", "video_keywords", "tag_evaluation")
    datasets = {"videos", "frames", "motion", "audio", "asr", "ocr", "visual", "text"}
    tables += ("passages", "passage_embeddings", "search_vocabulary")
    datasets |= {"faces", "persons", "captions", "passages", "passage_embeddings"}
    datasets |= {"copy_descriptors", "audio_fingerprints", "duplicate_pairs"}
    assert keys == datasets | {f"clickhouse/{t}" for t in tables} | INDEXES | {"source"}
    jobs = {job.name for job in defs.resolve_all_job_defs()}
    assert jobs >= {"batch", "library", "list_source", "morning_checks"}
    schedules = [schedule.name for schedule in defs.schedules or ()]
    assert schedules == ["recluster", "nightly", "morning"]
    assert [sensor.name for sensor in defs.sensors or ()] == ["batches", "arrivals"]


def test_every_dataset_is_in_the_catalogue_with_its_columns(tmp_path: Path) -> None:
    for spec in _defs(tmp_path).resolve_all_asset_specs():
        if {"parquet", "clickhouse"} & set(spec.kinds):
            columns = spec.metadata["dagster/column_schema"].columns
            assert columns, spec.key
            assert all(column.description for column in columns), spec.key


def test_resources_can_be_replaced(tmp_path: Path) -> None:
    from assets.stores.resources import Tables

    other = Tables(url="chdb:///elsewhere")
    defs = build_defs(Settings(data=str(tmp_path)), tables=other)
    assert (defs.resources or {})["tables"] is other


def test_definitions_load_no_model_library_and_no_engine() -> None:
    code = "import sys, orchestration.definitions; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(HEAVY) & set(done.stdout.split()) == set()


def test_imports_go_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for room, others in FORBIDDEN.items()
        for path in (ROOT / room).rglob("*.py")
        for name in _imported(path)
        if name.split(".")[0] in others
    ]
    assert wrong == []


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
