"""A catalogue: a CSV or Parquet file that lists videos and what is known about them.

Columns are ``video_id, uri, version, published_at, title, description, tags, licensed``, in any
order and case; only ``uri`` is required, other columns are passed over and named in
``ignored_columns``.

- ``uri``: a path (a relative one starts at the catalogue's own folder), ``file://``, ``s3://``,
  ``gs://``, ``az://`` or ``http(s)://``. A catalogue from the network may name its own host or
  bucket and those of ``KADR_ALLOW_HOSTS`` only.
- ``video_id``: 1 to 256 characters, none of them a control character; by default from the uri.
  Two rows may name one file when their ids differ.
- ``version``: change it when the bytes behind a remote uri change. Local files need none: their
  size and time are looked at. Without one, a remote file counts as unchanged.
- ``published_at``: ISO 8601; without a zone it is UTC, without a time midnight; 1900 to 2299, which
  is what a ClickHouse ``DateTime64`` holds.
- ``title``, ``description``, ``tags``: stored as they stand, HTML and SQL included. A list of tags
  (Parquet) is joined with ``, ``.
- ``licensed``: whether the video is of the licensed base: true, 1, yes or false, 0, no; empty
  leaves what is known of the video as it is.

Rows are numbered as a spreadsheet shows them: in a CSV the header is row 1; in Parquet, which has
none, the first video is row 1.
"""

from __future__ import annotations

import csv
import io
import logging
import posixpath
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from assets.source import web
from assets.source.errors import CatalogueError, SourceError
from assets.source.fetching import fetch
from assets.stores.addresses import (
    READABLE_SCHEMES,
    LocalState,
    local_path,
    local_uri,
    look_at,
    path_part,
    suffix_of,
    title_of,
    video_id_of,
)
from assets.stores.batches import SourceVideo
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.storage import OBJECT_SCHEMES, scheme_of, split_url
from ml.failures import VideoFailure
from ml.redaction import presentable, shown

TEXT_COLUMNS = ("video_id", "uri", "version", "title", "description", "tags")
COLUMNS = (*TEXT_COLUMNS, "published_at", "licensed")
MAX_ERRORS = 20
MAX_ID_CHARS = 256
_DELIMITERS = (",", ";", "\t", "|")
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME = pl.Datetime("ms", "UTC")
_YES_OR_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SLICE_ROWS = 10_000
# It is read as a whole; a million rows are some 300 MB.
_MAX_BYTES = 2_000_000_000
# One block must hold the longest row.
_MAX_BLOCK_BYTES = 256 << 20


@dataclass(frozen=True)
class Catalogue:
    """A catalogue without errors. ``rows``: ``COLUMNS`` with full uris and ids, as text,
    ``published_at`` as UTC milliseconds or null, ``licensed`` as booleans or null.
    ``is_outside``: it came from outside this network."""

    source: str
    rows: pl.DataFrame
    ignored_columns: tuple[str, ...] = ()
    is_outside: bool = False

    def videos(self) -> Iterator[SourceVideo]:
        """The rows in order, local files looked at one by one."""
        for piece in self.rows.iter_slices(_SLICE_ROWS):
            columns = (column.to_list() for column in piece.iter_columns())
            yield from map(partial(_video, self.is_outside), *columns)


def read_catalogue(
    source: str | Path,
    options: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Catalogue:
    """Read and check a catalogue; files that it names are not looked at yet.

    A local one may name whatever there is. One from the network may name its own host or bucket
    and what ``limits`` allow, and no local file.

    Raises:
        SourceError: the file cannot be read.
        CatalogueError: it has errors.
    """
    name = local_path(str(source)) if scheme_of(str(source)) == "file" else str(source)
    data, is_outside = _read(name, options, limits)
    errors = _Errors(name)
    parquet = suffix_of(name) == ".parquet"
    frame, ignored = _read_parquet(name, data) if parquet else _read_csv(name, data, errors)
    if ignored:
        unused = ", ".join(ignored)
        logging.getLogger(__name__).warning("%s: columns not used: %s", shown(name), unused)
    frame = _with_full_uris(frame, name, limits, errors)
    frame = _with_times(_with_ids(frame, errors), errors)
    frame = _with_licences(frame, errors)
    errors.raise_any()
    return Catalogue(name, frame.select(COLUMNS), ignored, is_outside)


def _video(
    is_outside: bool,
    video_id: str,
    uri: str,
    version: str,
    title: str,
    description: str,
    tags: str,
    published_at: datetime | None,
    licensed: bool | None,
) -> SourceVideo:
    """A row (``COLUMNS``) with what a look at a local file adds."""
    is_local = scheme_of(uri) in ("", "file")
    state = look_at(local_path(uri)) if is_local else LocalState(version, 0)
    return SourceVideo(
        video_id,
        uri,
        state.version,
        state.source_bytes,
        published_at,
        title or title_of(uri),
        description,
        tags,
        state.problem,
        licensed,
        public_only=(is_outside and scheme_of(uri) in ("http", "https")) or None,
    )


@dataclass
class _Errors:
    """Errors found so far: the texts of the first of each kind, and the number of all."""

    source: str
    found: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, row: int, text: str) -> None:
        """Row 0 is the file as a whole."""
        self.count += 1
        self.found.append((row, f"row {row}: {text}" if row else text))
        if len(self.found) > 10 * MAX_ERRORS:
            self.found = sorted(self.found)[:MAX_ERRORS]

    def add_rows(self, bad: pl.DataFrame, text: Callable[[dict[str, Any]], str]) -> None:
        """An error for each row of ``bad``."""
        for row in bad.head(MAX_ERRORS).iter_rows(named=True):
            self.add(row["row"], text(row))
        self.count += max(0, bad.height - MAX_ERRORS)

    def raise_any(self) -> None:
        """Raises CatalogueError when there are errors."""
        if self.count:
            texts = [text for _, text in sorted(self.found)[:MAX_ERRORS]]
            raise CatalogueError(self.source, texts, self.count)


# Reading ------------------------------------------------------------------------------------------


def _read(source: str, options: Mapping[str, Any] | None, limits: Limits) -> tuple[bytes, bool]:
    """The bytes, and whether they came from outside this network."""
    uri = source if scheme_of(source) else local_uri(source)
    limits = replace(limits, max_bytes=min(limits.max_bytes, _MAX_BYTES))
    try:
        with TemporaryDirectory() as scratch:
            if scheme_of(uri) in ("http", "https"):
                path = Path(scratch, "catalogue")
                answer = web.download(uri, path, options or {}, limits)
                return path.read_bytes(), not answer.is_inner
            with fetch(uri, scratch, options, limits) as (path, _):
                return path.read_bytes(), False
    except (VideoFailure, OSError) as error:
        raise SourceError(f"cannot read the catalogue {source}: {error}") from presentable(error)


def _read_parquet(source: str, data: bytes) -> tuple[pl.DataFrame, tuple[str, ...]]:
    try:
        names = pl.read_parquet_schema(io.BytesIO(data))
        wanted = _columns(source, list(names))
        frame = pl.read_parquet(io.BytesIO(data), columns=list(wanted))
    except pl.exceptions.PolarsError as error:
        raise CatalogueError(source, [f"not a Parquet file that can be read: {error}"]) from error
    frame = frame.rename(wanted).with_row_index("row", offset=1)
    texts = [_as_text(source, name, frame.schema[name]) for name in _texts(frame)]
    return frame.with_columns(texts), tuple(n for n in names if n not in wanted)


def _texts(frame: pl.DataFrame) -> list[str]:
    return [name for name in TEXT_COLUMNS if name in frame.columns]


def _as_text(source: str, name: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.List):
        return pl.col(name).cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
    if kind.is_nested() or kind == pl.Binary:
        raise CatalogueError(source, [f"column {name!r} holds {kind}, expected text"])
    return pl.col(name).cast(pl.String)


def _columns(source: str, names: list[str]) -> dict[str, str]:
    """The columns that are used: the name in the file to ours.

    Raises:
        CatalogueError: no ``uri``, or one of our columns twice.
    """
    ours = [name.strip().lower() for name in names]
    twice = sorted({name for name in ours if name in COLUMNS and ours.count(name) > 1})
    if twice:
        raise CatalogueError(source, [f"column {name!r} is there twice" for name in twice])
    if "uri" not in ours:
        found = ", ".join(names) or "none"
        raise CatalogueError(source, [f"the column 'uri' is missing; the columns are: {found}"])
    return {theirs: name for theirs, name in zip(names, ours, strict=True) if name in COLUMNS}


def _read_csv(source: str, data: bytes, errors: _Errors) -> tuple[pl.DataFrame, tuple[str, ...]]:
    names, delimiter = _header(source, data)
    wanted = _columns(source, names)
    fields = [f"{i}" for i in range(len(names))]  # theirs may repeat
    ragged: list[int] = []

    def pass_over(row: pa_csv.InvalidRow) -> str:
        ragged.append(row.number)
        errors.add(
            row.number, f"{row.actual_columns} values where the header has {row.expected_columns}"
        )
        return "skip"

    table = _parse_csv(source, data, fields, delimiter, pass_over)
    passed_over = set(ragged)
    rows = [n for n in range(2, 2 + table.num_rows + len(ragged)) if n not in passed_over]
    columns = {
        ours: _decoded(table.column(names.index(theirs)), ours, rows, errors)
        for theirs, ours in wanted.items()
    }
    frame = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32), **columns})
    _refuse_open_quote(data, frame, errors)
    any_text = pl.any_horizontal(pl.all().exclude("row") != "")
    return frame.filter(any_text), tuple(n for n in names if n not in wanted)


def _header(source: str, data: bytes) -> tuple[list[str], str]:
    """Column names and delimiter, from the first line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CatalogueError(source, ["the file is UTF-16; save it as CSV in UTF-8"])
    try:
        line = data.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        raise CatalogueError(source, ["row 1: the header is not UTF-8"]) from error
    choices = [(next(csv.reader([line], delimiter=d), []), d) for d in _DELIMITERS]
    has_uri = [c for c in choices if "uri" in (name.strip().lower() for name in c[0])]
    return max(has_uri or choices, key=lambda choice: len(choice[0]))


def _parse_csv(
    source: str,
    data: bytes,
    fields: list[str],
    delimiter: str,
    pass_over: Callable[[pa_csv.InvalidRow], str],
) -> pa.Table:
    """All values as bytes. One thread, because only then are bad rows numbered."""
    if b"\n" not in data:
        return pa.table({name: pa.array([], pa.binary()) for name in fields})
    try:
        return pa_csv.read_csv(
            io.BytesIO(data),
            pa_csv.ReadOptions(
                use_threads=False,
                column_names=fields,
                skip_rows=1,
                block_size=min(len(data) + 1, _MAX_BLOCK_BYTES),
            ),
            pa_csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=pass_over,
            ),
            pa_csv.ConvertOptions(
                check_utf8=False,
                column_types={name: pa.binary() for name in fields},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise CatalogueError(source, [f"not a CSV file that can be read: {error}"]) from error


def _decoded(column: pa.ChunkedArray, name: str, rows: list[int], errors: _Errors) -> pl.Series:
    try:
        return pl.Series(name, column.cast(pa.string()), dtype=pl.String)
    except pa.ArrowInvalid:
        texts = [value.decode("utf-8", "replace") for value in column.to_pylist()]
        for row, value, text in zip(rows, column.to_pylist(), texts, strict=True):
            if text.encode() != value:
                errors.add(row, f"{name} is not UTF-8: {text[:80]!r}")
        return pl.Series(name, texts, dtype=pl.String)


def _refuse_open_quote(data: bytes, frame: pl.DataFrame, errors: _Errors) -> None:
    """A quotation mark that is never closed swallows all rows after it into one value."""
    if frame.height and data.count(b'"') % 2:
        last = frame.row(-1, named=True)
        if any("\n" in value for name, value in last.items() if name != "row"):
            errors.add(last["row"], "a quotation mark is opened and never closed")


# Checking -----------------------------------------------------------------------------------------


def _with_full_uris(
    frame: pl.DataFrame, source: str, limits: Limits, errors: _Errors
) -> pl.DataFrame:
    """Absent text columns added, nulls made empty, uris made full."""
    absent = [pl.lit("").alias(n) for n in TEXT_COLUMNS if n not in frame.columns]
    frame = frame.with_columns(absent).with_columns(pl.col(TEXT_COLUMNS).fill_null(""))
    base, uris = _folder_of(source), []
    for row, uri in zip(frame["row"].to_list(), frame["uri"].to_list(), strict=True):
        try:
            uris.append(_allowed(_full_uri(uri, base), source, limits))
        except ValueError as error:
            errors.add(row, str(error))
            uris.append("")
    return frame.with_columns(pl.Series("uri", uris, dtype=pl.String))


def _allowed(uri: str, source: str, limits: Limits) -> str:
    """The uri, if a catalogue at ``source`` may name it.

    Raises:
        ValueError: it may not.
    """
    if scheme_of(source) in ("", "file"):
        return uri
    place = _place_of(uri)
    if not place:
        raise ValueError(f"uri {uri!r}: a catalogue from the network may name no local file")
    if place != _place_of(source) and not limits.allows(place):
        raise ValueError(
            f"uri {uri!r}: this catalogue may name {_place_of(source)} and what KADR_ALLOW_HOSTS "
            f"holds, and {place} is neither"
        )
    return uri


def _place_of(uri: str) -> str:
    """The host of a web address, ``scheme://bucket`` of an object; empty for a local file."""
    scheme = scheme_of(uri)
    if scheme in ("http", "https"):
        return web.host_of(uri)
    if scheme in OBJECT_SCHEMES:
        return f"{scheme}://{split_url(uri)[1]}"
    return ""


def _folder_of(source: str) -> str:
    if scheme_of(source):
        return path_part(source).rpartition("/")[0]  # a signature may hold slashes, too
    return str(Path(source).absolute().parent)


def _full_uri(uri: str, base: str) -> str:
    """Raises ValueError with the reason and the value."""
    scheme = scheme_of(uri)
    if not uri.strip():
        raise ValueError("uri is empty")
    if "\0" in uri:
        raise ValueError(f"uri holds a NUL character: {uri!r}")
    if scheme not in READABLE_SCHEMES:
        raise ValueError(f"uri {uri!r}: {scheme}:// cannot be read")
    if scheme == "file":
        return local_uri(local_path(uri))
    if scheme:
        return uri
    if scheme_of(base) in ("http", "https"):
        return urllib.parse.urljoin(f"{base}/", uri)
    if not scheme_of(base):
        return local_uri(Path(base) / uri)
    bucket_end = base.find("/", base.find("://") + 3) + 1 or len(base) + 1
    root, folder = base[:bucket_end].rstrip("/"), base[bucket_end:]
    return f"{root}/{posixpath.normpath(posixpath.join(folder, uri)).lstrip('/')}"


def _with_ids(frame: pl.DataFrame, errors: _Errors) -> pl.DataFrame:
    """Ids filled in from uris; bad and repeated ones are errors."""
    bad = (pl.col("video_id").str.len_chars() > MAX_ID_CHARS) | pl.col("video_id").str.contains(
        r"\p{Cc}"
    )
    errors.add_rows(
        frame.filter(bad),
        lambda row: (
            f"video_id {row['video_id'][:80]!r}: expected 1 to {MAX_ID_CHARS} characters, "
            "none of them a control character"
        ),
    )
    ids = [
        own or (video_id_of(uri) if uri else "")
        for own, uri in zip(frame["video_id"].to_list(), frame["uri"].to_list(), strict=True)
    ]
    own_id = (pl.col("video_id") != "").alias("own_id")
    frame = frame.with_columns(pl.Series("video_id", ids, dtype=pl.String), own_id)
    first = pl.col("row").min().over("video_id").alias("first")
    repeated = frame.filter((pl.col("video_id") != "") & pl.col("video_id").is_duplicated())
    errors.add_rows(repeated.with_columns(first).filter(pl.col("row") > pl.col("first")), _twice)
    return frame


def _twice(row: dict[str, Any]) -> str:
    if row["own_id"]:
        return f"video_id {row['video_id']!r} is also that of row {row['first']}"
    return (
        f"names the same file as row {row['first']}: {row['uri']!r} "
        "(to keep both, give each its own video_id)"
    )


def _with_times(frame: pl.DataFrame, errors: _Errors) -> pl.DataFrame:
    """``published_at`` as UTC milliseconds."""
    kind = frame.schema.get("published_at")
    if kind is None or kind == pl.Null:
        return frame.with_columns(pl.lit(None, _TIME).alias("published_at"))
    if kind == pl.String:
        times = _parse_times(frame, errors)
        return frame.with_columns(pl.Series("published_at", times, pl.Int64).cast(_TIME))
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        errors.add(0, f"column 'published_at' holds {kind}, expected ISO 8601 text or timestamps")
        return frame.with_columns(pl.lit(None, _TIME).alias("published_at"))
    zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
    here = pl.col("published_at")
    naive = here.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else here
    frame = frame.with_columns(naive.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"))
    inside = pl.col("published_at").is_between(pl.lit(_EARLIEST), pl.lit(_LATEST))
    errors.add_rows(frame.filter(~inside), lambda row: _bad_time(str(row["published_at"])))
    return frame


def _parse_times(frame: pl.DataFrame, errors: _Errors) -> list[int | None]:
    times: list[int | None] = []
    for row, text in zip(frame["row"].to_list(), frame["published_at"].to_list(), strict=True):
        try:
            times.append(_milliseconds(text) if text and text.strip() else None)
        except (ValueError, OverflowError):
            errors.add(row, _bad_time(text))
            times.append(None)
    return times


def _milliseconds(text: str) -> int:
    time = datetime.fromisoformat(text.strip())
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not _EARLIEST <= time <= _LATEST:
        raise ValueError
    return (time - _EPOCH) // _MILLISECOND


def _with_licences(frame: pl.DataFrame, errors: _Errors) -> pl.DataFrame:
    """``licensed`` as booleans, null where the catalogue does not say."""
    kind = frame.schema.get("licensed")
    if kind is None or kind == pl.Null:
        return frame.with_columns(pl.lit(None, pl.Boolean).alias("licensed"))
    if kind == pl.Boolean:
        return frame
    if kind != pl.String and not kind.is_integer():
        errors.add(0, f"column 'licensed' holds {kind}, expected yes or no")
        return frame.with_columns(pl.lit(None, pl.Boolean).alias("licensed"))
    text = pl.col("licensed").cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
    frame = frame.with_columns(text)
    known = pl.col("licensed").is_in(["", *_YES_OR_NO])
    errors.add_rows(
        frame.filter(~known),
        lambda row: f"licensed {row['licensed'][:80]!r}: expected true, false, yes, no, 1 or 0",
    )
    meant = pl.col("licensed").replace_strict(_YES_OR_NO, default=None, return_dtype=pl.Boolean)
    return frame.with_columns(meant)


def _bad_time(text: str) -> str:
    return (
        f"published_at {text[:80]!r}: expected ISO 8601 such as 2026-11-20 or "
        "2026-11-20T08:30:00+03:00, from 1900 to 2299"
    )
