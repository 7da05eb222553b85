"""The Dagster definitions. ``build_defs(**resources)`` gives fresh ones with resources replaced."""

from __future__ import annotations

from typing import Any

import dagster as dg

from assets import (
    asr,
    captions,
    copies,
    copy_search,
    copy_tables,
    faces,
    indexes,
    keywords,
    lexical,
    media,
    ocr,
    people,
    persons,
    search_cards,
    table_assets,
    tag_model,
    tags,
    text,
    topics,
    visual,
)
from assets.resources import Decoding, Library, Models, Tables
from orchestration.console import console_logger
from orchestration.jobs import batch_job, library_job, recluster_schedule
from orchestration.settings import Settings, from_environment

MODULES = (
    *(media, asr, ocr, visual, text, faces, persons, captions),
    *(copies, copy_search, table_assets),
    *(indexes, topics, people, copy_tables),
    *(lexical, search_cards),
    *(tag_model, tags, keywords),
)


def resources(settings: Settings) -> dict[str, Any]:
    """What the settings say, as the resources that assets ask for."""
    return {
        "library": Library(
            root=settings.data_root,
            state=str(settings.state_dir),
            known_people=settings.known_people_root,
            taxonomy=settings.taxonomy_file,
            storage_options=dict(settings.storage_options),
        ),
        "decoding": Decoding(
            reader=settings.reader,
            workers=settings.worker_count,
            min_duration_s=settings.min_duration_s,
            max_duration_s=settings.max_duration_s,
            max_failed_share=settings.max_failed_share,
        ),
        "models": Models(
            profile_name=settings.profile,
            speech=settings.speech_model,
            ocr=settings.ocr_model,
            visual=settings.visual_model,
            text=settings.text_model,
            faces=settings.faces_model,
            captions=settings.captions_model,
            captions_language=settings.captions_language,
            device=settings.device,
            workers=settings.worker_count,
            tessdata=settings.tessdata,
        ),
        "tables": Tables(url=settings.clickhouse),
    }


def build_defs(settings: Settings | None = None, **overrides: Any) -> dg.Definitions:
    """Definitions for the settings (by default the environment's), single resources replaced."""
    settings = from_environment() if settings is None else settings
    return dg.Definitions(
        assets=dg.load_assets_from_modules(MODULES),
        jobs=[batch_job, library_job],
        schedules=[recluster_schedule],
        loggers={"console": console_logger},
        resources={**resources(settings), **overrides},
        executor=dg.multiprocess_executor.configured({"max_concurrent": settings.steps_at_once}),
    )


defs = build_defs()
