"""Dagster's pages as a person sees them: the graph, a backfill from click to end, a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ml.library_schemas import PEOPLE
from orchestration.definitions import build_defs
from tests.ui.conftest import Shown

pytest.importorskip("playwright", reason="NOT TESTED: the package playwright is not installed")

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

# One decode makes all of them, so they are backfilled together.
DECODED = ("audio", "frames", "motion", "videos")


def _assets_by_group(shown: Shown) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for spec in build_defs(shown.settings).resolve_all_asset_specs():
        groups.setdefault(str(spec.group_name), set()).add(spec.key.path[-1])
    return groups


def test_the_graph_shows_every_group_and_unfolds_one(page: Page, shown: Shown) -> None:
    groups = _assets_by_group(shown)
    page.goto("/asset-groups")
    graph = page.locator("svg")
    for group in groups:
        expect(graph.get_by_text(group, exact=True)).to_be_visible()
    graph.get_by_text("media", exact=True).click()
    for asset in groups["media"]:
        expect(graph.get_by_text(asset, exact=True)).to_be_visible()


def test_a_backfill_of_the_two_missing_batches_is_launched_and_seen_to_succeed(
    page: Page, shown: Shown
) -> None:
    _, *waiting = shown.batches
    assert [shown.rows("videos", batch) for batch in waiting] == [0, 0]
    page.goto("/assets/videos?view=partitions")
    expect(page.get_by_text("Missing (2)")).to_be_visible()
    _launch_for_missing(page, waiting)
    page.get_by_role("link", name="View", exact=True).click()
    ended = page.get_by_text(re.compile(r"^Status\s*(Succeeded|Failed|Canceled)"))
    expect(ended).to_contain_text("Succeeded")
    expect(page.get_by_text("100% completed")).to_have_count(len(DECODED))
    page.goto("/assets/videos?view=partitions")
    expect(page.get_by_text("Materialized (3)")).to_be_visible()
    assert [shown.rows("videos", batch) for batch in waiting] == [1, 1]


def _launch_for_missing(page: Page, batches: list[str]) -> None:
    """Through the dialogs, of which the first tells what one decode makes besides."""
    page.get_by_role("button", name="Materialize…").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    dialog = page.get_by_role("dialog").filter(has_text="Partition selection")
    dialog.get_by_role("button", name="Missing", exact=True).click()
    for batch in batches:
        expect(dialog.get_by_text(batch).first).to_be_visible()
    expect(dialog.get_by_text("2 partitions")).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()


def test_the_page_of_a_table_shows_its_rows_columns_picture_and_check(page: Page) -> None:
    page.goto("/assets/clickhouse/people")
    expect(page.get_by_text(re.compile(r"^Row count\s*1$"))).to_be_visible()
    for description in PEOPLE.descriptions.values():
        expect(page.get_by_role("cell", name=description, exact=True)).to_be_visible()
    page.get_by_role("row", name="contact_sheet").get_by_text("Show Markdown").click()
    picture = page.get_by_role("dialog").get_by_role("img", name="people")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="Checks").click()
    page.get_by_text("known_people_are_usable").first.click()
    expect(page.get_by_text("Passed", exact=True)).to_be_visible()
