"""What pyproject.toml declares is used, what is imported is declared, and both are pinned."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("ml", "assets", "orchestration", "sql", "samples")
DEVELOPMENT = ("tests", "benchmarks")
# Where the module is not called what the package is.
MODULES = {
    "decord2": "decord",
    "dlib-bin": "dlib",
    "faiss-cpu": "faiss",
    "faiss-gpu-cu12": "faiss",
    "nvidia-ml-py": "pynvml",
    "onnxruntime-gpu": "onnxruntime",
    "openai-whisper": "whisper",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "psycopg2-binary": "psycopg2",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
UNIMPORTED = {
    "dagster-webserver": "a command: Dagster's pages",
    "mypy": "a command of the Makefile",
    "pytest-timeout": "a plugin: `timeout` in pyproject.toml",
    "pytest-xdist": "a plugin: `-n` in the Makefile",
    "ray": "dagster-ray submits jobs with it, by the client that comes with `default`",
    "ruff": "a command of the Makefile",
    "sentencepiece": "transformers reads Marian's vocabularies with it",
}
# Taken where somebody installed them; not on PyPI in a form that could be declared.
UNDECLARED = {"cuml": "NVIDIA's index has it"}
# Modules that are asked for by name.
BY_NAME = {"find_spec", "import_module", "importorskip"}


def declared() -> dict[str, list[str]]:
    """Packages by extra; those that are always installed under an empty name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [_name(line) for line in lines] for extra, lines in groups.items()}


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return found[0].lower().replace("_", "-").replace(".", "-")


def module_of(package: str) -> str:
    return MODULES.get(package, package.replace("-", "_"))


@cache
def imported(folders: tuple[str, ...]) -> frozenset[str]:
    """Top modules that the code of these folders imports, at once or within a function."""
    trees = (ast.parse(p.read_text(encoding="utf-8")) for f in folders for p in _code(f))
    names = (name for tree in trees for node in ast.walk(tree) for name in _modules(node))
    return frozenset(name.split(".")[0] for name in names)


def _code(folder: str) -> Iterable[Path]:
    return (ROOT / folder).rglob("*.py")


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return [str(node.args[0].value)] if called in BY_NAME else []
    return []


def pinned(lock: str) -> set[str]:
    return {_name(line) for line in (ROOT / "requirements" / lock).read_text().splitlines()}


@pytest.mark.parametrize("extra", declared())
def test_package_that_is_declared_is_used(extra: str) -> None:
    where = SHIPPED + DEVELOPMENT if extra == "dev" else SHIPPED
    idle = {p for p in declared()[extra] if module_of(p) not in imported(where)}
    assert idle - UNIMPORTED.keys() == set()


def test_reasons_are_of_declared_packages_that_nothing_shipped_imports() -> None:
    every = {package for packages in declared().values() for package in packages}
    assert UNIMPORTED.keys() - every == set()
    assert {p for p in UNIMPORTED if module_of(p) in imported(SHIPPED)} == set()


def test_module_that_is_imported_is_declared() -> None:
    extras = {extra: packages for extra, packages in declared().items() if extra != "dev"}
    known = {module_of(package) for packages in extras.values() for package in packages}
    foreign = imported(SHIPPED) - sys.stdlib_module_names - set(SHIPPED)
    assert foreign - known == UNDECLARED.keys()


@pytest.mark.parametrize(
    ("lock", "extras"), [("kadr.lock", ("faces",)), ("dev.lock", ("faces", "cluster", "dev"))]
)
def test_package_that_is_declared_is_pinned(lock: str, extras: tuple[str, ...]) -> None:
    wanted = {package for extra in ("", *extras) for package in declared()[extra]}
    assert wanted - pinned(lock) == set()
