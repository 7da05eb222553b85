"""The Dagster definitions. ``build_defs(**resources)`` gives fresh ones with resources replaced."""

from __future__ import annotations

from typing import Any

import dagster as dg

import assets.copies.descriptors
import assets.copies.indexes
import assets.copies.search
import assets.copies.tables
import assets.media.asset
import assets.people.clustering
import assets.people.persons
import assets.search.cards
import assets.search.indexes
import assets.search.lexical
import assets.senses.captions
import assets.senses.faces
import assets.senses.ocr
import assets.senses.speech
import assets.senses.text
import assets.senses.visual
import assets.source.health
import assets.source.listing
import assets.tables.batch_tables
import assets.tags.keywords
import assets.tags.model
import assets.tags.video_tags
import assets.topics.clustering
from assets.source.listing import SETTLE_S, Source
from assets.stores.resources import Decoding, Library, Models, Tables
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

# In the order of the work.
MODULES = (
    assets.source.listing,
    assets.media.asset,
    assets.senses.speech,
    assets.senses.ocr,
    assets.senses.visual,
    assets.senses.text,
    assets.senses.faces,
    assets.people.persons,
    assets.senses.captions,
    assets.copies.descriptors,
    assets.copies.search,
    assets.tables.batch_tables,
    assets.copies.indexes,
    assets.search.indexes,
    assets.topics.clustering,
    assets.people.clustering,
    assets.copies.tables,
    assets.search.lexical,
    assets.search.cards,
    assets.tags.model,
    assets.tags.video_tags,
    assets.tags.keywords,
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
            max_source_bytes=settings.limits.max_bytes,
            min_source_rate=settings.limits.min_bytes_per_s,
            min_free_bytes=settings.limits.min_free_bytes,
            allow_hosts=list(settings.limits.allow_hosts),
        ),
        "decoding": Decoding(
            reader=settings.reader,
            workers=settings.worker_count,
            attempts=settings.batch_attempts,
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
    definitions = [asset for asset in found if isinstance(asset, dg.AssetsDefinition)]
    return dg.Definitions(
        assets=definitions,
        asset_checks=dg.load_asset_checks_from_modules([assets.source.health]),
        jobs=[batch, library_job, source_job, health_job],
        schedules=[recluster_schedule, nightly_schedule(settings), health_schedule],
        sensors=[batches_sensor(settings, batch, priority, patience), arrivals_sensor(settings)],
        loggers={"console": console_logger},
        resources=ours,
        executor=executor(settings, definitions),
    )


defs = build_defs()
