"""The folder ``known_people/NAME/*.jpg``: names, read again only when it changed.

What could not be looked at changes nothing: names of before stay, and a sentence says why.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from assets.clustering.store import StoredClustering
from assets.people.known_pictures import NOT_OPENED, SUFFIXES, picture_of, suffix_of
from assets.stores.datasets import key_of
from assets.stores.models import OFF, face_finder
from assets.stores.resources import Library, Models
from assets.stores.storage import Storage, StoredFile

if TYPE_CHECKING:
    from ml.faces import FaceFinder
    from ml.people.known import Known, KnownPicture

_FOLDER = "known_people"
# What systems leave beside pictures; names that begin with a dot are silent too.
_LEFT_BY_SYSTEMS = {"thumbs.db", "desktop.ini", "@eadir", "__macosx"}
_NAMES_TOLD = 3
_TOLD_AT_ONCE = 20
_MAX_NAME_CHARS = 256


@dataclass(frozen=True)
class KnownPeople:
    """What the pictures are good for, and what they were.

    Attributes:
        known: names and vectors, and what is wrong with single pictures.
        finder: identity of the faces model behind the vectors.
        files: changes with the pictures; empty if some of them wait to be looked at.
        notices: what else is wrong tonight, in sentences.
    """

    known: Known
    finder: str
    files: str
    notices: list[str] = field(default_factory=list)

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON, to be kept with the clustering; ``problems`` are all there are."""
        return {
            "finder": self.finder,
            "files": self.files,
            "names": list(self.known.names),
            "vectors": [[float(v) for v in vector] for vector in self.known.vectors],
            "of_pictures": list(self.known.problems),
            "problems": [*self.notices, *self.known.problems],
        }

    def noted_in(self, clustering: StoredClustering) -> StoredClustering:
        """The clustering with tonight's problems, unless names or vectors are others as well.

        The same object where there is nothing to note.
        """
        was, now = clustering.extra["known"], self.stored
        if was == now or any(was[part] != now[part] for part in ("names", "vectors")):
            return clustering
        return replace(clustering, extra={**clustering.extra, "known": now})


@dataclass(frozen=True)
class _Listing:
    """What lies in the folder: files by name, and sentences on what has no name."""

    files: Mapping[str, Sequence[StoredFile]]
    problems: list[str]
    is_there: bool = True


def known_people(
    library: Library,
    models: Models,
    model: str,
    before: StoredClustering | None,
    say: Callable[[str], None],
    *,
    again: bool = False,
) -> KnownPeople:
    """The known people; pictures that were looked at last time are not looked at again.

    Names of before stay where the folder is gone or holds no folder, since that is how a disk
    looks that is not mounted, and where the settings' faces model cannot see what `model` saw.

    Args:
        model: identity behind the library's persons.
        before: the clustering of last time, by whatever model.
        say: told what is wrong.
        again: look at all pictures anew.

    Raises:
        dg.Failure: ``KADR_KNOWN_PEOPLE`` names a folder that is not there.
    """
    # Persons are "{finder}+persons-{version}".
    finder = model.rpartition("+persons-")[0] or model
    if model == OFF:
        return KnownPeople(_nothing(), finder, "")  # there are no persons to be named
    kept = _kept(before, finder)
    try:
        found = _brought_up(library, models, finder, kept, again)
    except OSError as error:
        said = error.strerror or str(error)
        notice = f"{library.known_faces.root} cannot be read ({said}): names of before stay"
        found = replace(kept or KnownPeople(_nothing(), finder, ""), notices=[notice])
    problems = found.stored["problems"]
    for problem in problems[:_TOLD_AT_ONCE]:
        say(problem)
    if len(problems) > _TOLD_AT_ONCE:
        say(f"and {len(problems) - _TOLD_AT_ONCE} more: the check known_people_are_usable has all")
    return found


def pictures_changed(library: Library, before: StoredClustering | None) -> bool:
    """Whether pictures of known people came, changed or went since they were last looked at."""
    kept = before.extra.get("known") if before is not None and before.inputs else None
    if not kept:
        return False
    files, _ = _pictures(_listing(library))
    key = key_of(kept["finder"], *(f"{file.key} {file.etag}" for file in files))
    return bool(files or kept["names"]) and bool(kept["files"] != key)


def _brought_up(
    library: Library, models: Models, finder: str, kept: KnownPeople | None, again: bool
) -> KnownPeople:
    from ml.faces import same_person_distance
    from ml.people.known import known_vectors

    listing = _listing(library)
    files, problems = _pictures(listing)
    notices = [*listing.problems, *problems]
    if not listing.files and kept and kept.known.names:
        return replace(kept, notices=[_still_known(library, listing, kept.known), *notices])
    key = key_of(finder, *(f"{file.key} {file.etag}" for file in files))
    if kept and kept.files == key and not again:
        return replace(kept, notices=notices)
    if any(suffix_of(file.key) in SUFFIXES for file in files):
        why_not = _why_not(models, finder)
        if why_not:
            old = kept or KnownPeople(_nothing(), finder, "")
            return replace(old, notices=notices if old.files == key else [why_not, *notices])
    pictures = list(_seen(library.known_faces, files, models))
    known = known_vectors(pictures, same_person_distance(finder))
    is_whole = all(picture.unreadable != NOT_OPENED for picture in pictures)
    return KnownPeople(known, finder, key if is_whole else "", notices)


def _nothing() -> Known:
    from ml.people.known import known_vectors

    return known_vectors([], 0.0)


def _kept(before: StoredClustering | None, finder: str) -> KnownPeople | None:
    """What was known last time, if that finder saw it: other vectors are of no use."""
    from ml.people.known import Known

    kept = before.extra["known"] if before is not None else {}
    if kept.get("finder") != finder:
        return None
    vectors = np.array(kept["vectors"] or np.zeros((0, 0)), np.float32)
    return KnownPeople(Known(kept["names"], vectors, kept["of_pictures"]), finder, kept["files"])


def _why_not(models: Models, finder: str) -> str:
    """Why pictures can't be compared with the library's persons; empty if they can."""
    setting = models.face_finder().identity
    if setting == finder:
        return ""
    also = "Names of before stay. To have pictures looked at"
    if setting == OFF:
        return f"{_FOLDER} changed while KADR_FACES_MODEL is off. {also}, switch it on"
    return (
        f"{_FOLDER} changed, but faces of the library were found by {finder}, and "
        f"KADR_FACES_MODEL is {setting} now. {also}, set it back, or make all anew "
        "(kadr ingest SOURCE --all)"
    )


def _still_known(library: Library, listing: _Listing, known: Known) -> str:
    names = list(dict.fromkeys(known.names))
    more = len(names) - _NAMES_TOLD
    told = ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
    state = "holds no folder any more" if listing.is_there else "is gone"
    return (
        f"{library.known_faces.root} {state}, so nothing tells whom pictures showed: names of "
        f"before stay ({told}). Is a disk not mounted? To forget them, leave one folder in it "
        f"without pictures, such as {_FOLDER}/nobody"
    )


# The folder ---------------------------------------------------------------------------------------


def _listing(library: Library) -> _Listing:
    storage = library.known_faces
    folders, beside, unseen = (_local if storage.is_local else _remote)(storage)
    is_there = bool(folders or beside) or (storage.is_local and Path(storage.root).is_dir())
    by_default = f"{library.root.rstrip('/')}/{_FOLDER}"
    if not is_there and library.known_people not in ("", by_default):
        raise dg.Failure(
            f"KADR_KNOWN_PEOPLE is {library.known_people}, and no such folder is there: mount it, "
            "make it, or unset KADR_KNOWN_PEOPLE",
            allow_retries=False,
        )
    problems = [
        f"{_label(name)} lies beside the folders: put it into a folder that bears the name of "
        "whom it shows"
        for name in sorted(beside)
        if not _is_silent(name)
    ]
    named = {name: files for name, files in folders.items() if not _is_silent(name)}
    problems += [
        f"{_label(name)} {why}: rename it. It is left out"
        for name in sorted(named)
        if (why := _why_no_name(name))
    ]
    usable = {name: named[name] for name in sorted(named) if not _why_no_name(name)}
    return _Listing(usable, [*problems, *unseen], is_there)


_Found = tuple[dict[str, list[StoredFile]], list[str], list[str]]


def _local(storage: Storage) -> _Found:
    """Files by folder, empty folders too; the names of files beside them; and sentences on what
    cannot be seen."""
    try:
        entries = sorted(Path(storage.root).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}, [], []
    folders = {path.name: list(storage.scan(path.name)) for path in entries if path.is_dir()}
    unseen = [sentence for path in entries if path.is_dir() for sentence in _unseen(path)]
    return folders, [path.name for path in entries if path.name not in folders], unseen


def _unseen(folder: Path) -> Iterator[str]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        yield f"{_label(folder.name)} cannot be opened ({error.strerror}). It is left out"
        return
    for path in inside:
        if path.is_symlink() and not path.exists():
            yield f"{_label(f'{folder.name}/{path.name}')} is a link to nothing. It is left out"


def _remote(storage: Storage) -> _Found:
    """The same of an object store, where a folder is there as long as something is in it."""
    folders: dict[str, list[StoredFile]] = {}
    beside = []
    for file in storage.scan():
        name, cut, _ = file.key.partition("/")
        if cut:
            folders.setdefault(name, []).append(file)
        elif file.size:
            beside.append(name)
        elif name:  # consoles make an empty object for a folder
            folders.setdefault(name, [])
    return folders, beside, []


def _pictures(listing: _Listing) -> tuple[list[StoredFile], list[str]]:
    """Files that lie where pictures should, by key; and sentences on folders without any."""
    pictures: list[StoredFile] = []
    problems: list[str] = []
    for name, all_files in listing.files.items():
        files = [file for file in all_files if not any(map(_is_silent, file.key.split("/")))]
        own = sorted((f for f in files if f.key.count("/") == 1), key=lambda file: file.key)
        deeper = sorted({"/".join(f.key.split("/")[:2]) for f in files} - {f.key for f in own})
        problems += [
            f"{_label(folder)} is a folder in a folder, and is left out: put its pictures into "
            f"{_label(name)}"
            for folder in deeper
        ]
        if not own:
            problems.append(f"{_label(name)} holds no picture, so {name} is not looked for")
        pictures += [file for file in own if _is_utf8(file.key)]
        problems += [
            f"{_label(file.key)} has a name that is not UTF-8: rename it. It is left out"
            for file in own
            if not _is_utf8(file.key)
        ]
    return pictures, problems


def _label(key: str) -> str:
    """As a person would look it up; bytes that are no UTF-8, and what would control a terminal, as
    ``\\xcf``."""
    text = f"{_FOLDER}/{key}".encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = "".join(c.encode("unicode_escape").decode() if _is_control(c) else c for c in text)
    return text if len(text) <= _MAX_NAME_CHARS else f"{text[:_MAX_NAME_CHARS]}…"


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp")


def _why_no_name(name: str) -> str:
    """Why a folder's name can be nobody's; empty if it can."""
    if not _is_utf8(name):
        return "has a name that is not UTF-8"
    if any(map(_is_control, name)):
        return "has a name with control characters"
    if len(name) > _MAX_NAME_CHARS:
        return f"has a name of {len(name)} characters, and {_MAX_NAME_CHARS} are the most"
    return ""


def _is_utf8(key: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in key)


def _is_silent(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


# The pictures -------------------------------------------------------------------------------------


def _seen(storage: Storage, files: list[StoredFile], models: Models) -> Iterator[KnownPicture]:
    """What each file shows; the finder is loaded for the first that can be read."""
    from ml.people.known import KnownPicture

    finder: FaceFinder | None = None
    for file in files:
        name, label = file.key.partition("/")[0], _label(file.key)
        pixels, unreadable = picture_of(storage, file)
        if pixels is None:
            yield KnownPicture(name, label, unreadable=unreadable)
            continue
        finder = finder or face_finder(models, models.profile.faces)
        yield KnownPicture(name, label, finder.faces_of(pixels))
