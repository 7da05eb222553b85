"""Cards of videos: found by id, filtered by date, written only when they differ."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ml.indexes.files import IndexDamaged
from ml.search.cards import FILE, SCHEMA, Cards, write_cards

IDS = ("b", "a", "ж/#1", "😀", "", "z\nz", *(f"v{n}" for n in range(500)))


def table(count: int = len(IDS), title: str = "title of") -> pa.Table:
    days = [datetime(2026, 1, 1 + n % 28, tzinfo=UTC) if n % 3 else None for n in range(count)]
    columns = {
        "video_id": list(IDS[:count]),
        "title": [f"{title} {video}" for video in IDS[:count]],
        "uri": ["/x.mp4"] * count,
        "published_at": pa.array(days, SCHEMA.field("published_at").type),
        "duration_s": [1.5] * count,
        "original_id": ["a" if video in ("a", "b") else "" for video in IDS[:count]],
    }
    return pa.table(columns)


@pytest.fixture
def cards(tmp_path: Path) -> Cards:
    write_cards(tmp_path, table())
    return Cards.open(tmp_path)


def test_every_video_is_found_by_its_id(cards: Cards) -> None:
    assert len(cards) == len(IDS)
    assert {video: card.title for video, card in cards.of(IDS).items()} == {
        video: f"title of {video}" for video in IDS
    }


def test_unknown_videos_have_no_card(cards: Cards) -> None:
    assert list(cards.of(["nobody", "a", "A"])) == ["a"]
    assert cards.of([]) == {}


def test_only_copies_have_a_group(cards: Cards) -> None:
    assert cards.groups(["a", "b", "v1", "nobody"]) == {"a": "a", "b": "a"}


def test_videos_without_a_date_are_not_later(cards: Cards) -> None:
    later = set(cards.since(datetime(2026, 1, 28, tzinfo=UTC)).to_pylist())
    assert later == {video for n, video in enumerate(IDS) if n % 3 and n % 28 == 27}


def test_empty_library_has_no_card(tmp_path: Path) -> None:
    write_cards(tmp_path, table(0))
    cards = Cards.open(tmp_path)
    assert len(cards) == 0 and cards.of(["a"]) == {} and cards.groups(["a"]) == {}
    assert len(cards.since(datetime(2026, 1, 1, tzinfo=UTC))) == 0


def test_same_cards_in_any_order_are_not_written_again(tmp_path: Path) -> None:
    assert write_cards(tmp_path, table())
    before = (tmp_path / FILE).stat()
    assert not write_cards(tmp_path, table().take(list(reversed(range(len(IDS))))))
    assert (tmp_path / FILE).stat().st_ino == before.st_ino
    assert write_cards(tmp_path, table(title="another title of"))


@pytest.mark.parametrize("damage", [b"", b"no Arrow file", None])
def test_damaged_file_is_told(tmp_path: Path, damage: bytes | None) -> None:
    write_cards(tmp_path, table())
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(IndexDamaged):
        Cards.open(tmp_path)
