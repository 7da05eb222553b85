"""The Dagster definitions. ``build_defs(**resources)`` gives fresh ones with resources replaced."""

from __future__ import annotations

from typing import Any

import dagster as dg

from assets.copies import descriptors as copies
from assets.copies import search as copy_search
from assets.copies import tables as copy_tables
from assets.media import asset as media
from assets.people import clustering as people
from assets.people import persons
from assets.search import cards as search_cards
from assets.search import indexes, lexical
from assets.senses import captions, faces, ocr, text, visual
from assets.senses import speech as asr
from assets.source import health as batch_health
from assets.source import listing
from assets.source.listing import SETTLE_S, Source
from assets.stores.resources import Decoding, Library, Models, Tables
from assets.tables import batch_tables as table_assets
from assets.tags import keywords
from assets.tags import model as tag_model
from assets.tags import video_tags as tags
from assets.topics import clustering as topics
from orchestration.console import console_logger
from orchestration.executors import executor
from orchestration.jobs import (
    batch_job,
    health_job,
    health_schedule,
    library_job,
    priority_of,
    recluster_schedule,
    source_job,
)
from orchestration.nightly import Patience, arrivals_sensor, batches_sensor, nightly_schedule
from orchestration.settings import Settings, from_environment

MODULES = (
    listing,
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
            state=str(settings.state_dir),
        ),
        "tables": Tables(url=settings.clickhouse),
        "source": Source(
            location=settings.source,
            batch_size=settings.batch_size,
            settle_s=settings.arrivals_every_s or SETTLE_S,
            attempts=settings.batch_attempts,
        ),
    }


def build_defs(settings: Settings | None = None, **overrides: Any) -> dg.Definitions:
    """Definitions for the settings (by default the environment's), single resources replaced."""
    settings = from_environment() if settings is None else settings
    ours = {**resources(settings), **overrides}
    priority = priority_of(settings.batch_order, ours["library"].batches)
    batch, patience = batch_job(priority), Patience(attempts=settings.batch_attempts)
    found = dg.load_assets_from_modules(MODULES)
    assets = [asset for asset in found if isinstance(asset, dg.AssetsDefinition)]
    return dg.Definitions(
        assets=assets,
        asset_checks=dg.load_asset_checks_from_modules([batch_health]),
        jobs=[batch, library_job, source_job, health_job],
        schedules=[recluster_schedule, nightly_schedule(settings), health_schedule],
        sensors=[batches_sensor(settings, batch, priority, patience), arrivals_sensor(settings)],
        loggers={"console": console_logger},
        resources=ours,
        executor=executor(settings, assets),
    )


defs = build_defs()
