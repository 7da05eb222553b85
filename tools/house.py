"""The house: which rooms there are, which may import which, and how they do.

``FLOORS`` is declared here and nowhere else. The imports are read from the code, those under
``TYPE_CHECKING`` and inside functions too. ``python -m tools.house`` draws them into
``docs/house.svg``; ``tests/unit/test_rooms.py`` holds the code against the floors and the picture
against the code.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("ml", "assets", "orchestration", "sql", "samples")
PACKAGES_WITH_ROOMS = ("ml", "assets", "orchestration")
# From the ground up. A room imports rooms of lower floors alone: neither upwards nor its
# neighbours. A module is of the longest name that it begins with, so ``ml`` is what lies in ml/
# beside the rooms.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("ml", "sql", "samples"),
    ("ml.media", "ml.models", "ml.indexes"),
    (
        *("ml.speech", "ml.ocr", "ml.faces", "ml.captions", "ml.visual"),
        *("ml.text", "ml.clustering", "ml.neighbours"),
    ),
    ("ml.copies", "ml.people", "ml.topics", "ml.tags", "ml.search"),
    ("assets.stores",),
    ("assets.source", "assets.clustering"),
    ("assets.media", "assets.senses", "assets.tables"),
    ("assets.search",),
    ("assets.copies", "assets.people", "assets.topics", "assets.tags"),
    ("orchestration",),
    ("orchestration.commands",),
    ("orchestration.cli",),
)
# What must not be known, however low it lies: ours, and libraries.
UNKNOWN_TO: Mapping[str, frozenset[str]] = {
    "ml": frozenset({"sql", "samples", "dagster", "clickhouse_connect", "chdb"}),
    "assets": frozenset({"samples"}),
    "samples": frozenset({"dagster", "clickhouse_connect", "chdb"}),
}
PICTURE = ROOT / "docs" / "house.svg"


@dataclass(frozen=True)
class Import:
    """A module that imports another; ``line`` is where."""

    importer: str
    imported: str
    line: int


def modules(root: Path) -> dict[str, Path]:
    """Every module of ours, by its dotted name."""
    paths = (path for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    return {_dotted(path.relative_to(root)): path for path in paths}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root: Path) -> Iterator[Import]:
    """Every import in our modules: of our modules by their full name, of others by their first."""
    ours = modules(root)
    for name, path in ours.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = (one for one in _named(node, ours) if one != name)
                yield from (Import(name, imported, node.lineno) for imported in found)


def _named(node: ast.Import | ast.ImportFrom, ours: Mapping[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        named = [alias.name for alias in node.names]
    else:
        module = node.module or ""
        whole = (f"{module}.{alias.name}" for alias in node.names)
        named = [name if name in ours else module for name in whole]
    yield from (name if name in ours else name.partition(".")[0] for name in named)


@cache
def floor_of(room: str) -> int:
    """The floor that a room is on, 0 being the ground."""
    return next(floor for floor, rooms in enumerate(FLOORS) if room in rooms)


def room_of(module: str) -> str | None:
    """The room of a module of ours; None where no floor has it."""
    rooms = [r for rooms in FLOORS for r in rooms if f"{module}.".startswith(f"{r}.")]
    room = max(rooms, key=len, default=None)
    lies_in_a_folder = room in PACKAGES_WITH_ROOMS and module.count(".") > 1
    return None if lies_in_a_folder else room


def wrong(root: Path) -> list[str]:
    """What is not as the floors say, a sentence each, with what to do."""
    found = []
    for one in imports(root):
        package, here = one.importer.partition(".")[0], room_of(one.importer)
        where = f"{one.importer} (line {one.line}) imports {one.imported}"
        first = one.imported.partition(".")[0]
        if first in UNKNOWN_TO.get(package, ()):
            found.append(f"{where}: {package}/ must not know {first}; pass in what it needs")
        elif first in PACKAGES and here is not None:
            found += _judged(where, here, room_of(one.imported))
    homeless = (m for m in modules(root) if m not in PACKAGES and room_of(m) is None)
    return found + [f"{m} is in a room of no floor: name it in tools/house.py" for m in homeless]


def _judged(where: str, here: str, there: str | None) -> Iterator[str]:
    if there is None or there == here or floor_of(there) < floor_of(here):
        return
    if floor_of(there) == floor_of(here):
        yield (
            f"{where}: {here} and {there} are neighbours on floor {floor_of(here)}, and "
            "neighbours don't know each other; what both need belongs on a floor below"
        )
    else:
        yield (
            f"{where}: that runs up, from floor {floor_of(here)} to {floor_of(there)}; {there} may "
            f"import {here}, not the other way: move what is needed down, or pass it in"
        )


def circles(root: Path) -> list[list[str]]:
    """Modules that import each other in a circle, each circle once."""
    graph: dict[str, set[str]] = defaultdict(set)
    for one in imports(root):
        graph[one.importer].add(one.imported)
    reach = {module: _reachable(graph, module) for module in list(graph)}
    rings = {tuple(sorted(m for m in seen if a in reach.get(m, ()))) for a, seen in reach.items()}
    return sorted(list(ring) for ring in rings if ring)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph.get(start, ()))
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(graph.get(module, ()))
    return seen


def arrows(root: Path) -> dict[str, set[str]]:
    """Which rooms each room imports."""
    found: dict[str, set[str]] = {room: set() for rooms in FLOORS for room in rooms}
    for one in imports(root):
        here, there = room_of(one.importer), room_of(one.imported)
        if here and there and here != there:
            found[here].add(there)
    return found


def needed_arrows(root: Path) -> dict[str, set[str]]:
    """The arrows without those that a longer way stands for."""
    all_of = arrows(root)
    return {
        room: {t for t in targets if not any(t in _reachable(all_of, u) for u in targets - {t})}
        for room, targets in all_of.items()
    }


def main() -> None:
    """Draw the picture anew, and say what is wrong with the house."""
    from tools.house_picture import drawn

    PICTURE.write_text(drawn(ROOT), encoding="utf-8")
    print("\n".join([f"drawn: {PICTURE.relative_to(ROOT)}", *wrong(ROOT)]))


if __name__ == "__main__":
    main()
