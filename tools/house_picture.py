"""The house as an SVG: floors from the top, rooms with their modules, arrows to their imports."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tools.house import FLOORS, modules, needed_arrows, room_of

_WIDTH, _MARGIN, _GAP_X, _GAP_Y = 1400, 16, 14, 44
_NAME_PX, _LINE_PX, _LETTER_PX, _PADDING = 20, 14, 6.1, 9
# Fill and line of a room, by its package.
_COLOURS = {
    "orchestration": ("#f4ecd8", "#a0803c"),
    "assets": ("#e2ecf7", "#3f6ea8"),
    "ml": ("#e4f2e4", "#4d8b52"),
    "sql": ("#f0f0f0", "#777777"),
    "samples": ("#f0f0f0", "#777777"),
}
# Of a room without modules.
_COUNTED = {"sql": "statements: schema, load, views, queries"}


@dataclass(frozen=True)
class _Box:
    room: str
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


def drawn(root: Path) -> str:
    """The picture of the house whose code lies below ``root``."""
    boxes = {box.room: box for box in _placed(_contents(root))}
    height = max(box.y + box.height for box in boxes.values()) + _MARGIN
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' "
        "font-family='system-ui, Helvetica, Arial, sans-serif'>",
        f"<rect width='{_WIDTH}' height='{height:.0f}' fill='white'/>",
        *_arrows(needed_arrows(root), boxes),
        *(line for box in boxes.values() for line in _room(box)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _contents(root: Path) -> dict[str, list[str]]:
    """Each room's modules and rooms within, by their own names."""
    found: dict[str, list[str]] = {room: [] for rooms in FLOORS for room in rooms}
    for module, path in modules(root).items():
        room = room_of(module)
        if room and path.name != "__init__.py" and module != room:
            found[room].append(module.removeprefix(f"{room}.").partition(".")[0])
    found |= {room: [text] for room, text in _COUNTED.items()}
    return {room: list(dict.fromkeys(names)) for room, names in found.items()}


def _placed(contents: Mapping[str, Sequence[str]]) -> Iterator[_Box]:
    y = float(_MARGIN)
    for rooms in reversed(FLOORS):
        width = (_WIDTH - 2 * _MARGIN - _GAP_X * (len(rooms) - 1)) / len(rooms)
        texts = [_wrapped(contents[room], width) for room in rooms]
        height = _NAME_PX + _LINE_PX * max(map(len, texts)) + 2 * _PADDING
        for i, (room, lines) in enumerate(zip(rooms, texts, strict=True)):
            yield _Box(room, lines, _MARGIN + i * (width + _GAP_X), y, width, height)
        y += height + _GAP_Y


def _wrapped(names: Sequence[str], width: float) -> tuple[str, ...]:
    letters = int((width - 2 * _PADDING) / _LETTER_PX)
    return tuple(textwrap.wrap(", ".join(names), letters, break_on_hyphens=False))


def _room(box: _Box) -> Iterator[str]:
    fill, line = _COLOURS[box.room.partition(".")[0]]
    yield (
        f"<rect x='{box.x:.1f}' y='{box.y:.1f}' width='{box.width:.1f}' "
        f"height='{box.height:.1f}' rx='5' fill='{fill}' stroke='{line}'/>"
    )
    x, y = box.x + _PADDING, box.y + _PADDING + 13
    name = escape(box.room.replace(".", "/"))
    yield f"<text x='{x:.1f}' y='{y:.1f}' font-size='14' font-weight='600'>{name}</text>"
    for text in box.lines:
        y += _LINE_PX if text is not box.lines[0] else _LINE_PX + 4
        yield f"<text x='{x:.1f}' y='{y:.1f}' font-size='11' fill='#444'>{escape(text)}</text>"


def _arrows(targets: Mapping[str, set[str]], boxes: Mapping[str, _Box]) -> Iterator[str]:
    """Curves from the foot of a room to the heads of those it imports, side by side in order."""
    pairs = [(here, there) for here, rooms in targets.items() for there in rooms]
    for here, there in sorted(pairs):
        x1 = _spread(boxes[here], [b for a, b in pairs if a == here], there, boxes)
        x2 = _spread(boxes[there], [a for a, b in pairs if b == there], here, boxes)
        y1, y2 = boxes[here].y + boxes[here].height, boxes[there].y
        bend = min(60.0, (y2 - y1) / 2)
        _, colour = _COLOURS[here.partition(".")[0]]
        yield (
            f"<path d='M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} "
            f"{x2:.1f} {y2 - 6:.1f}' fill='none' stroke='{colour}' stroke-opacity='.75'/>"
            f"<path d='M{x2 - 4:.1f} {y2 - 7:.1f}h8l-4 7z' fill='{colour}'/>"
        )


def _spread(box: _Box, others: list[str], other: str, boxes: Mapping[str, _Box]) -> float:
    """Where on a room's edge the arrow to or from another one meets it."""
    ordered = sorted(others, key=lambda room: (boxes[room].x + boxes[room].width / 2, room))
    return box.x + box.width * (ordered.index(other) + 1) / (len(ordered) + 1)
