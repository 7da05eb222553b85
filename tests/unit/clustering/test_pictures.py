"""Pictures for Dagster's pages are valid, small, and hold every name that has room."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from assets.clustering.pictures import contact_sheet_svg, markdown_image, topic_map_svg
from assets.stores.catalog import plain_line

SVG = "{http://www.w3.org/2000/svg}"


def topic(topic_id: int, **more: Any) -> dict[str, Any]:
    row = {"topic_id": topic_id, "name": f"topic {topic_id}", "size": 5, "hidden": False}
    return row | {"map_x": topic_id * 0.31 % 1, "map_y": topic_id * 0.47 % 1} | more


def person(person_id: int, **more: Any) -> dict[str, Any]:
    row = {"person_id": person_id, "name": "", "size": 3, "crop": crop(person_id)}
    return row | more


def crop(seed: int, side: int = 112) -> bytes:
    """A JPEG file that compresses badly: noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def circles(svg: str) -> list[Mapping[str, str]]:
    return [element.attrib for element in ElementTree.fromstring(svg).iter(f"{SVG}circle")]


def tiles(svg: str) -> list[Image.Image]:
    found = re.findall(r"href='data:image/jpeg;base64,([^']+)'", svg)
    return [Image.open(io.BytesIO(base64.b64decode(code))) for code in found]


def test_area_of_a_bubble_grows_with_its_topic() -> None:
    large, small = circles(topic_map_svg([topic(1, size=25), topic(2, size=100)]))
    assert float(large["r"]) == pytest.approx(2 * float(small["r"]), abs=0.11)


def test_hidden_topics_are_faint() -> None:
    shown, hidden = circles(topic_map_svg([topic(1), topic(2, hidden=True)]))
    assert float(hidden["opacity"]) < float(shown["opacity"]) / 2


def test_topic_keeps_its_colour_whatever_else_is_on_the_map() -> None:
    alone = circles(topic_map_svg([topic(7)]))
    among = circles(topic_map_svg([topic(3, size=9), topic(7), topic(8, size=1)]))
    assert alone[0]["fill"] == among[1]["fill"] != among[0]["fill"]


def test_bubbles_lie_inside_the_picture() -> None:
    corners = [topic(n, map_x=n % 2, map_y=n // 2, size=50) for n in range(4)]
    for it in circles(topic_map_svg(corners, 300, 200)):
        x, y, radius = (float(it[name]) for name in ("cx", "cy", "r"))
        assert radius <= x <= 300 - radius and radius <= y <= 200 - radius


def test_russian_names_and_marks_of_xml_come_through() -> None:
    names = ["кошки и собаки", "R&B <live>", 'it\'s "new"']
    svg = topic_map_svg([topic(n, name=name) for n, name in enumerate(names)])
    assert sorted(texts(svg)) == sorted(names)


def test_control_characters_do_not_spoil_the_map() -> None:
    assert texts(topic_map_svg([topic(1, name="two\nlines\x00\x08 more")])) == ["two lines more"]


def test_names_never_cover_each_other() -> None:
    crowd = [topic(n, map_x=0.5, map_y=0.5, name="same place") for n in range(30)]
    svg = topic_map_svg(crowd)
    places = [
        (float(it.attrib["x"]), float(it.attrib["y"]))
        for it in ElementTree.fromstring(svg).iter(f"{SVG}text")
    ]
    assert 3 <= len(places) < 30
    for number, (x, y) in enumerate(places):
        for other_x, other_y in places[:number]:
            assert abs(x - other_x) > 50 or abs(y - other_y) > 9


def test_map_of_a_thousand_topics_stays_small_and_says_what_it_leaves_out() -> None:
    rng = np.random.default_rng(0)
    many = [
        topic(n, name="наука & техника " * 4, size=1000 - n, map_x=x, map_y=y)
        for n, (x, y) in enumerate(rng.random((1000, 2)))
    ]
    svg = topic_map_svg(many)
    assert len(svg.encode()) < 60_000
    assert "and 600 smaller topics" in texts(svg)


def test_map_without_topics_is_an_empty_picture() -> None:
    assert circles(topic_map_svg([])) == []


def test_known_people_stand_under_their_names_and_others_under_their_numbers() -> None:
    svg = contact_sheet_svg([person(4, name="Анна"), person(12, size=7)])
    assert texts(svg) == ["Анна ×3", "#12 ×7"]


def test_long_name_is_cut_and_its_count_is_not() -> None:
    (caption,) = texts(contact_sheet_svg([person(1, name="Maximiliana Featherstonehaugh")]))
    assert caption.startswith("Maxim") and caption.endswith("… ×3")


def test_faces_are_squares_of_the_size_asked_for() -> None:
    flat = io.BytesIO()
    Image.new("L", (80, 200), 90).save(flat, "JPEG")
    svg = contact_sheet_svg([person(1, crop=flat.getvalue()), person(2)], tile_px=64)
    assert [(tile.size, tile.mode) for tile in tiles(svg)] == [((64, 64), "RGB")] * 2


def test_sheet_keeps_its_size_by_compressing_harder() -> None:
    people = [person(number) for number in range(40)]
    svg = contact_sheet_svg(people, most_bytes=225_000)
    assert len(svg.encode()) <= 225_000
    assert len(tiles(svg)) == 40
    roomy = contact_sheet_svg(people, most_bytes=2_000_000)
    assert len(roomy) > len(svg)


def test_people_without_room_are_counted() -> None:
    svg = contact_sheet_svg([person(number) for number in range(40)], most_bytes=30_000)
    shown = len(tiles(svg))
    assert 0 < shown < 40 and len(svg.encode()) <= 30_000
    assert texts(svg)[-1] == f"and {40 - shown} more"


def test_sheet_without_people_is_an_empty_picture() -> None:
    assert texts(contact_sheet_svg([])) == []


@pytest.mark.parametrize("broken", [b"", b"text", crop(1)[:400]], ids=["none", "text", "cut short"])
def test_crop_that_is_no_picture_leaves_its_tile_empty_and_the_others_shown(broken: bytes) -> None:
    svg = contact_sheet_svg([person(3, crop=broken), person(4)])
    assert texts(svg) == ["#3 ×3", "#4 ×3"]
    assert len(tiles(svg)) == 1


def test_markdown_carries_the_picture_itself() -> None:
    svg = topic_map_svg([topic(1)])
    alt, code = re.fullmatch(  # type: ignore[union-attr]
        r"!\[(.*)\]\(data:image/svg\+xml;base64,([^)]+)\)", markdown_image(svg, "a [map]")
    ).groups()
    assert alt == r"a \[map\]"
    assert base64.b64decode(code).decode() == svg
    assert markdown_image(b"\xff\xd8", "x") == "![x](data:image/jpeg;base64,/9g=)"


def test_plain_line_has_nothing_to_format() -> None:
    assert plain_line("a_b\n*c*") == r"a\_b \*c\*"
