"""What a catalogue may hold, and the row that an error names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.source.catalogue import Catalogue, read_catalogue
from assets.source.errors import CatalogueError, SourceError
from assets.stores.addresses import video_id_of
from assets.stores.batches import SourceVideo


def _csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "catalogue.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _parquet(folder: Path, **columns: Any) -> Path:
    path = folder / "catalogue.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def _videos(folder: Path, text: str | bytes) -> list[SourceVideo]:
    return list(read_catalogue(_csv(folder, text)).videos())


def _errors(folder: Path, text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(CatalogueError) as raised:
        read_catalogue(_csv(folder, text))
    return raised.value.errors


def test_only_uri_is_required_and_the_rest_has_defaults(tmp_path: Path) -> None:
    (tmp_path / "a clip.mp4").write_bytes(b"12345")
    (video,) = _videos(tmp_path, "uri\na clip.mp4\n")
    assert video.uri == str(tmp_path / "a clip.mp4")
    assert video.video_id == video_id_of(video.uri)
    assert (video.title, video.source_bytes, video.published_at) == ("a clip", 5, None)
    assert video.version.startswith("5-") and not video.problem


def test_every_column_is_taken_in_any_order_and_case(tmp_path: Path) -> None:
    text = (
        "Tags, Title ,VIDEO_ID,uri,published_at,description,version\n"
        '"cats, dogs",T,id 1,s3://b/k.mp4,2026-11-20,D,v7\n'
    )
    (video,) = _videos(tmp_path, text)
    assert video == SourceVideo(
        "id 1",
        "s3://b/k.mp4",
        "v7",
        published_at=datetime(2026, 11, 20, tzinfo=UTC),
        title="T",
        description="D",
        tags="cats, dogs",
    )


def test_relative_uris_start_at_the_catalogue_and_dots_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    text = "uri\n./x.mp4\nd/../y.mp4\n/abs/z.mp4\nfile:///f/%D0%B0.mp4\nhttps://h/q.mp4?s=1\n"
    uris = [v.uri for v in _videos(tmp_path / "sub", text)]
    here = str(tmp_path / "sub")
    assert uris == [
        f"{here}/x.mp4",
        f"{here}/y.mp4",
        "/abs/z.mp4",
        "/f/а.mp4",
        "https://h/q.mp4?s=1",
    ]


def test_file_that_is_not_there_is_a_video_with_a_problem(tmp_path: Path) -> None:
    (video,) = _videos(tmp_path, "uri\nno.mp4\n")
    assert video.problem == "there is no such file"


def test_html_sql_quotes_and_newlines_are_stored_as_they_are(tmp_path: Path) -> None:
    title = '<b>x</b> \'; DROP TABLE videos; -- "q"\nsecond line, \t«ёлка»'
    quoted = title.replace('"', '""')
    (video,) = _videos(tmp_path, f'uri,title\ns3://b/a,"{quoted}"\n')
    assert video.title == title


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    text = "title|uri|tags\nT|s3://b/a|x\n".replace("|", delimiter)
    (video,) = _videos(tmp_path, text)
    assert (video.title, video.uri, video.tags) == ("T", "s3://b/a", "x")


def test_byte_order_mark_windows_line_ends_and_empty_lines_do_not_matter(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbfuri,title\r\ns3://b/a,A\r\n\r\ns3://b/b,B\r\n,\r\n\r\n"
    assert [v.title for v in _videos(tmp_path, text)] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20 08:30", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T08:30:15.125Z", datetime(2026, 11, 20, 8, 30, 15, 125_000, tzinfo=UTC)),
        ("2026-11-20T08:30:00+03:00", datetime(2026, 11, 20, 5, 30, tzinfo=UTC)),
        ("1950-01-01T00:00:00.001", datetime(1950, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC)),
        ("", None),
    ],
)
def test_dates_are_iso_8601_and_utc_without_a_zone(
    tmp_path: Path, text: str, expected: datetime | None
) -> None:
    (video,) = _videos(tmp_path, f"uri,published_at\ns3://b/a,{text}\n")
    assert video.published_at == expected


@pytest.mark.parametrize(
    "text", ["20.11.2026", "yesterday", "2026-02-30", "1700000000", "0001-01-01", "9999-12-31"]
)
def test_bad_date_names_its_row_and_value(tmp_path: Path, text: str) -> None:
    (error,) = _errors(tmp_path, f"uri,published_at\ns3://b/a,2026-11-20\ns3://b/b,{text}\n")
    assert error.startswith("row 3: published_at") and repr(text) in error


def test_missing_uri_column_says_which_columns_there_are(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, "path,title\na,b\n")
    assert error == "the column 'uri' is missing; the columns are: path, title"


def test_repeated_column_is_an_error(tmp_path: Path) -> None:
    assert _errors(tmp_path, "uri,Uri\na,b\n") == ("column 'uri' is there twice",)


def test_all_errors_come_at_once_with_their_rows(tmp_path: Path) -> None:
    text = (
        "video_id,uri,published_at\n"
        "a,s3://b/1,\n"
        "b,,\n"
        "a,s3://b/3,\n"
        "c,ftp://h/4,\n"
        "d,s3://b/5,soon\n"
        "e,s3://b/6\n"
        "f,s3://b/7,,,\n"
        '"x\ty",s3://b/8,\n'
    )
    errors = _errors(tmp_path, text)
    assert [e.split(":")[0] for e in errors] == [f"row {n}" for n in (3, 4, 5, 6, 7, 8, 9)]
    assert errors[0] == "row 3: uri is empty"
    assert errors[1] == "row 4: video_id 'a' is also that of row 2"
    assert errors[2] == "row 5: uri 'ftp://h/4': ftp:// cannot be read"
    assert errors[4] == "row 7: 2 values where the header has 3"
    assert "control character" in errors[6]


def test_at_most_twenty_errors_are_spelt_out_and_all_are_counted(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="500 errors") as raised:
        read_catalogue(_csv(tmp_path, "uri,title\n" + ",x\n" * 500))
    assert len(raised.value.errors) == 20
    assert str(raised.value).endswith("and 480 more")


def test_same_file_under_two_ids_is_allowed_but_not_under_one(tmp_path: Path) -> None:
    assert len(_videos(tmp_path, "video_id,uri\na,x.mp4\nb,x.mp4\n")) == 2
    (error,) = _errors(tmp_path, "uri\nx.mp4\n./x.mp4\n")
    assert error.startswith("row 3: names the same file as row 2")


def test_bytes_that_are_not_utf8_name_row_and_column(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, b"uri,title\ns3://b/a,ok\ns3://b/b,caf\xe9\n")
    assert error.startswith("row 3: title is not UTF-8: 'caf")
    (error,) = _errors(tmp_path, "uri,title\n".encode("utf-16"))
    assert "UTF-16" in error


def test_quotation_mark_that_never_closes_is_an_error(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, 'uri,title\ns3://b/a,"oops\ns3://b/b,B\ns3://b/c,C\n')
    assert error == "row 2: a quotation mark is opened and never closed"


def test_columns_that_are_not_ours_are_ignored_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalogue = read_catalogue(_csv(tmp_path, "uri,views,title,likes\ns3://b/a,1,T,2\n"))
    assert catalogue.ignored_columns == ("views", "likes")
    assert "columns not used: views, likes" in caplog.text


def test_catalogue_without_rows_lists_nothing(tmp_path: Path) -> None:
    assert _videos(tmp_path, "uri,title\n") == []
    assert _videos(tmp_path, "uri,title") == []


def test_catalogue_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read the catalogue .*no such file"):
        read_catalogue(tmp_path / "no.csv")


def test_parquet_keeps_types_and_numbers_rows_from_one(tmp_path: Path) -> None:
    path = _parquet(
        tmp_path,
        uri=["s3://b/a", "s3://b/b"],
        video_id=[17, 18],
        published_at=[datetime(2026, 1, 1), None],
        tags=[["x", "y"], None],
        title=[None, "T"],
        views=[1, 2],
    )
    catalogue: Catalogue = read_catalogue(path)
    first, second = catalogue.videos()
    assert (first.video_id, first.tags, first.title) == ("17", "x, y", "a")
    assert first.published_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (second.published_at, second.tags) == (None, "")
    assert catalogue.ignored_columns == ("views",)
    with pytest.raises(CatalogueError, match="row 2: uri is empty"):
        read_catalogue(_parquet(tmp_path, uri=["s3://b/a", None]))


def test_parquet_times_with_a_zone_and_dates_are_utc(tmp_path: Path) -> None:
    moscow = pl.Series([datetime(2026, 1, 1, 12)]).dt.replace_time_zone("Europe/Moscow")
    (video,) = read_catalogue(_parquet(tmp_path, uri=["s3://b/a"], published_at=moscow)).videos()
    assert video.published_at == datetime(2026, 1, 1, 9, tzinfo=UTC)
    days = [date(2026, 1, 1)]
    (video,) = read_catalogue(_parquet(tmp_path, uri=["s3://b/a"], published_at=days)).videos()
    assert video.published_at == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(CatalogueError, match="row 1: published_at"):
        read_catalogue(_parquet(tmp_path, uri=["s3://b/a"], published_at=[date(1, 1, 1)]))


def test_parquet_column_of_a_wrong_kind_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"'title' holds .*expected text"):
        read_catalogue(_parquet(tmp_path, uri=["s3://b/a"], title=[{"en": "T"}]))
    with pytest.raises(CatalogueError, match="'published_at' holds Int64"):
        read_catalogue(_parquet(tmp_path, uri=["s3://b/a"], published_at=[1_700_000_000]))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing")
    with pytest.raises(CatalogueError, match="not a Parquet file"):
        read_catalogue(broken)


def test_licences_are_said_in_several_ways_or_not_at_all(tmp_path: Path) -> None:
    said = ["TRUE", "true", "1", "yes", "False", "0", "no", " Yes ", ""]
    rows = [f"s3://b/{i}.mp4,{text}" for i, text in enumerate(said)]
    found = [v.licensed for v in _videos(tmp_path, "\n".join(["uri,Licensed", *rows]))]
    assert found == [True] * 4 + [False] * 3 + [True, None]
    assert [v.licensed for v in _videos(tmp_path, "uri\ns3://b/1.mp4\n")] == [None]


def test_licence_that_is_neither_yes_nor_no_names_its_row(tmp_path: Path) -> None:
    (error,) = _errors(tmp_path, "uri,licensed\ns3://b/1.mp4,yes\ns3://b/2.mp4,maybe\n")
    assert error.startswith("row 3: licensed 'maybe'")


@pytest.mark.parametrize("said", [[True, False, None], [1, 0, None], ["yes", "no", ""]])
def test_parquet_licences_may_be_booleans_numbers_or_text(tmp_path: Path, said: list[Any]) -> None:
    path = _parquet(tmp_path, uri=[f"s3://b/{i}.mp4" for i in range(3)], licensed=said)
    assert [v.licensed for v in read_catalogue(path).videos()] == [True, False, None]
