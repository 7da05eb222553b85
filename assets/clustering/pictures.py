"""Pictures for Dagster's pages: a map of topics, a sheet of faces. Text is drawn by the browser.

SVG, because names are in any script and Pillow's built-in font has Latin letters alone.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from assets.stores.catalog import plain_line

# Of the letters' height; DejaVu Sans, which is wider than most, has .58 on Russian topic names.
_LETTER_WIDTH = 0.58
_FONT = "font-family='system-ui, Helvetica, Arial, sans-serif'"
# A map of so many bubbles and labels has 50 kB; with more, names could not be read anyway.
_MOST_BUBBLES, _MOST_LABELS, _LONGEST_LABEL = 400, 150, 32
_SMALLEST_BUBBLE_PX = 3.0
_CAPTION_PX, _GAP_PX = 11, 8
_QUALITIES = (80, 65, 50, 35)


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class _Bubble(NamedTuple):
    x: float
    y: float
    radius: float
    colour: str
    opacity: float
    name: str


def markdown_image(picture: str | bytes, alt: str) -> str:
    """An SVG text or a JPEG file as a Markdown image that carries its own bytes."""
    if isinstance(picture, str):
        kind, data = "svg+xml", picture.encode()
    else:
        kind, data = "jpeg", picture
    return f"![{plain_line(alt)}](data:image/{kind};base64,{base64.b64encode(data).decode()})"


def topic_map_svg(topics: Iterable[Mapping[str, Any]], width: int = 900, height: int = 600) -> str:
    """Topics as bubbles whose area grows with their videos; hidden topics are faint.

    Larger topics are named first. A name that fits nowhere beside its bubble without covering
    another name is left out.

    Args:
        topics: rows with ``topic_id`` (decides the colour, so that a topic keeps it), ``name``,
            ``size`` in videos, ``map_x`` and ``map_y`` in 0..1, ``hidden``.
        width: of the picture in pixels.
        height: likewise.
    """
    rows = sorted(topics, key=lambda row: (-row["size"], row["topic_id"]))
    bubbles = _bubbles(rows[:_MOST_BUBBLES], width, height)
    shapes = [
        f"<circle cx='{it.x:.0f}' cy='{it.y:.0f}' r='{it.radius:.1f}' fill='{it.colour}'"
        f" opacity='{it.opacity}'/>"
        for it in bubbles
    ]
    left_out = len(rows) - len(bubbles)
    if left_out:
        note = f"and {left_out} smaller topics"
        shapes.append(f"<text x='6' y='{height - 6}' font-size='11'>{note}</text>")
    style = "text-anchor='middle' paint-order='stroke' stroke='white' stroke-width='3'"
    labels = f"<g {style}>{''.join(_labels(bubbles, width, height))}</g>"
    return _svg("".join(shapes) + labels, width, height)


def _bubbles(rows: Sequence[Mapping[str, Any]], width: int, height: int) -> list[_Bubble]:
    """The rows in their order, each wholly inside the picture."""
    if not rows:
        return []
    # The largest topic takes a tenth of the shorter side; fewer pixels where there are many.
    most = min(width, height) * 0.1 * min(1.0, (30 / len(rows)) ** 0.25)
    margin = most + 2
    largest = max(rows[0]["size"], 1)
    return [
        _Bubble(
            margin + row["map_x"] * (width - 2 * margin),
            margin + row["map_y"] * (height - 2 * margin),
            max(_SMALLEST_BUBBLE_PX, most * (row["size"] / largest) ** 0.5),
            # Steps of the golden angle: ids that follow each other look different.
            f"hsl({row['topic_id'] * 137.5 % 360:.0f} 60% 55%)",
            0.2 if row["hidden"] else 0.6,
            str(row["name"]),
        )
        for row in rows
    ]


def _labels(bubbles: Sequence[_Bubble], width: int, height: int) -> Iterable[str]:
    taken: list[_Box] = []
    for bubble in bubbles[:_MOST_LABELS]:
        letters_px = round(min(16.0, max(10.0, 0.45 * bubble.radius)))
        name = _shortened(bubble.name, _LONGEST_LABEL)
        half = len(name) * letters_px * _LETTER_WIDTH / 2
        for x, y in _places(bubble, half, letters_px):
            box = _Box(x - half, y - 0.8 * letters_px, x + half, y + 0.3 * letters_px)
            inside = box.left >= 0 and box.top >= 0 and box.right <= width and box.bottom <= height
            if inside and not any(box.meets(other) for other in taken):
                taken.append(box)
                faint = " opacity='.5'" if bubble.opacity < 0.5 else ""
                yield (
                    f"<text x='{x:.0f}' y='{y:.0f}' font-size='{letters_px}'{faint}>"
                    f"{escape(name)}</text>"
                )
                break


def _places(bubble: _Bubble, half: float, letters_px: float) -> list[tuple[float, float]]:
    """Where the middle of a label's base line may lie: on the bubble, below, above, beside it."""
    aside = bubble.radius + half + 3
    middle_y = bubble.y + 0.3 * letters_px
    return [
        (bubble.x, middle_y),
        (bubble.x, bubble.y + bubble.radius + letters_px),
        (bubble.x, bubble.y - bubble.radius - 0.4 * letters_px),
        (bubble.x + aside, middle_y),
        (bubble.x - aside, middle_y),
    ]


def contact_sheet_svg(
    people: Sequence[Mapping[str, Any]],
    columns: int = 7,
    tile_px: int = 112,
    most_bytes: int = 225_000,
) -> str:
    """Faces in a grid, each under its person's name (or number) and count of videos.

    Args:
        people: rows with ``person_id``, ``name`` (empty when unknown), ``size`` in videos and
            ``crop``, a JPEG file; shown in this order. A crop that is no picture is an empty tile:
            the tables are written by then, and one bad file must not fail their step.
        columns: faces in a row, fewer when there are fewer people.
        tile_px: the side of a face; crops are compressed anew for it.
        most_bytes: of the SVG; in Markdown a third more. Faces are compressed harder to keep it;
            people who do not fit even so are left out, and how many is said below.
    """
    columns = max(1, min(columns, len(people)))
    step_x, step_y = tile_px + _GAP_PX, tile_px + _CAPTION_PX + 2 * _GAP_PX
    cells: list[str] = []
    left_bytes = most_bytes - 400  # the frame around the cells, and the line below them
    share = left_bytes // max(1, len(people))
    for place, person in enumerate(people):
        x = _GAP_PX + place % columns * step_x
        y = _GAP_PX + place // columns * step_y
        cell = _cell(person, x, y, tile_px, share)
        left_bytes -= len(cell.encode())
        if left_bytes < 0:
            break
        cells.append(cell)
    rows = -(-len(cells) // columns)
    height = rows * step_y + _GAP_PX
    if len(cells) < len(people):
        note = f"and {len(people) - len(cells)} more"
        height += 2 * _CAPTION_PX
        cells.append(f"<text x='{_GAP_PX}' y='{height - _GAP_PX}'>{note}</text>")
    body = f"<g font-size='{_CAPTION_PX}'>{''.join(cells)}</g>"
    return _svg(body, columns * step_x + _GAP_PX, height)


def _cell(person: Mapping[str, Any], x: int, y: int, tile_px: int, share: int) -> str:
    """One face with its caption, in ``share`` bytes where the worst quality allows it."""
    count = f" ×{person['size']}"
    room = int((tile_px + _GAP_PX) / (_CAPTION_PX * _LETTER_WIDTH)) - len(count)
    who = _shortened(person["name"] or f"#{person['person_id']}", max(room, 2)) + count
    caption = (
        f"<text x='{x + tile_px / 2:.0f}' y='{y + tile_px + _CAPTION_PX + 2}'"
        f" text-anchor='middle'>{escape(who)}</text>"
    )
    square = f"x='{x}' y='{y}' width='{tile_px}' height='{tile_px}'"
    # 130: what stands around the picture's base64.
    tile = _tile(person["crop"], tile_px, (share - len(caption.encode()) - 130) * 3 // 4)
    if tile is None:
        return f"<rect {square} fill='#ddd'/>{caption}"
    code = base64.b64encode(tile).decode()
    return f"<image {square} href='data:image/jpeg;base64,{code}'/>{caption}"


def _tile(data: bytes, side_px: int, most_bytes: int) -> bytes | None:
    """A square JPEG file, the finest that fits ``most_bytes`` or the coarsest; None: no picture."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data)) as crop:
            square = ImageOps.fit(crop.convert("RGB"), (side_px, side_px))
    # Pillow's plugins raise the last three on broken headers and on sizes of billions of pixels.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    for quality in _QUALITIES:
        file = io.BytesIO()
        square.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= most_bytes:
            break
    return file.getvalue()


def _shortened(text: str, most: int) -> str:
    """One line of printable letters: one control character would make the whole SVG invalid."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _svg(body: str, width: int, height: int) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'"
        f" viewBox='0 0 {width} {height}' {_FONT}>"
        f"<rect width='100%' height='100%' fill='white'/>{body}</svg>"
    )
