"""What many rooms' tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.stores.engine import copied, opened_copy


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with empty tables in ``state/clickhouse``, to be copied: migrating takes 0.25 s."""
    from assets.stores.clickhouse import ClickHouse

    folder = tmp_path_factory.mktemp("migrated")
    with ClickHouse(f"chdb://{folder}/state/clickhouse").session("migrating"):
        return folder


@pytest.fixture(scope="session")
def small(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of `tests.unit.tables.small_library` in ``state/clickhouse``: to be read only."""
    from assets.stores.clickhouse import ClickHouse
    from tests.unit.tables.small_library import load_small_library

    folder = copied(migrated, tmp_path_factory.mktemp("small"))
    with ClickHouse(f"chdb://{folder}/state/clickhouse").session("loading") as client:
        load_small_library(client)
    return folder


@pytest.fixture
def library_folder(migrated: Path, tmp_path: Path) -> Iterator[Path]:
    """A test's own library, empty, with its tables open."""
    with opened_copy(migrated, tmp_path) as folder:
        yield folder
