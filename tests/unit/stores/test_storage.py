"""Local folders and S3 behave alike; what differs is tested apart."""

from __future__ import annotations

import os
import pickle
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.stores.storage import Storage, split_url
from assets.stores.storage_errors import StorageError
from tests.unit.stores.s3_server import Bucket, s3_bucket, s3_server  # noqa: F401


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return Storage(tmp_path / "root")
    bucket: Bucket = request.getfixturevalue("s3_bucket")
    return Storage(f"{bucket.url}/some/prefix", bucket.options)


def test_what_is_put_is_read_back_and_replaced(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"from a file")
    storage.put_bytes(b"first", "a/b.bin")
    before = storage.etag("a/b.bin")
    storage.put_file(tmp_path / "local", "a/b.bin")
    assert storage.read_bytes("a/b.bin") == b"from a file"
    assert storage.size("a/b.bin") == 11
    assert storage.etag("a/b.bin") != before
    assert (tmp_path / "local").exists()


def test_list_gives_sorted_keys_of_a_folder_and_nothing_beside_it(storage: Storage) -> None:
    for key in ("d/x/2", "d/x/10", "d/1", "d2/no", "e"):
        storage.put_bytes(b"1", key)
    assert [f.key for f in storage.list("d")] == ["d/1", "d/x/10", "d/x/2"]
    assert [f.key for f in storage.list("d/")] == ["d/1", "d/x/10", "d/x/2"]
    assert [f.key for f in storage.list()] == ["d/1", "d/x/10", "d/x/2", "d2/no", "e"]
    assert list(storage.list("nothing")) == []


def test_a_missing_file_is_said_to_be_missing(storage: Storage) -> None:
    assert not storage.exists("no")
    for read in (storage.read_bytes, storage.open_reader, storage.info):
        with pytest.raises(FileNotFoundError, match="no"):
            read("no")
    storage.delete("no")


def test_deleted_file_is_gone(storage: Storage) -> None:
    storage.put_bytes(b"1", "a")
    storage.delete("a")
    assert not storage.exists("a") and list(storage.list()) == []


def test_create_happens_once(storage: Storage) -> None:
    storage.create_bytes(b"mine", "once")
    with pytest.raises(FileExistsError):
        storage.create_bytes(b"yours", "once")
    assert storage.read_bytes("once") == b"mine"


def test_parquet_is_read_by_row_group(storage: Storage, tmp_path: Path) -> None:
    table = pa.table({"n": range(10_000), "blob": [os.urandom(300) for _ in range(10_000)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2_500)
    storage.put_file(tmp_path / "t.parquet", "t.parquet")
    with storage.open_reader("t.parquet") as source, pq.ParquetFile(source) as file:
        assert file.num_row_groups == 4
        assert file.read_row_group(2).equals(table.slice(5_000, 2_500))
        assert pa.Table.from_batches(file.iter_batches(64)).equals(table)


def test_reader_seeks_like_a_file(storage: Storage) -> None:
    storage.put_bytes(bytes(range(100)), "f")
    with storage.open_reader("f") as reader:
        assert reader.seek(-10, os.SEEK_END) == 90
        assert reader.read(4) == bytes([90, 91, 92, 93])
        reader.seek(5)
        reader.seek(5, os.SEEK_CUR)
        assert reader.read(1) == bytes([10])
        reader.seek(200)
        assert reader.read() == b""


def test_open_reader_never_mixes_two_versions(storage: Storage) -> None:
    old, new = b"o" * 3_000_000, b"n" * 3_000_000
    storage.put_bytes(old, "f")
    with storage.open_reader("f") as reader:
        first = reader.read(10)
        storage.put_bytes(new, "f")
        try:
            rest = reader.read()
        except StorageError:  # an object store keeps no replaced version: an error, no mixture
            assert not storage.is_local
        else:
            assert first + rest == old


def test_storage_travels_to_another_process(storage: Storage) -> None:
    storage.put_bytes(b"1", "a")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("a") == b"1"


def test_keys_cannot_leave_the_root(storage: Storage) -> None:
    for key in ("../x", "/x", "a//b", "a/./b", ""):
        with pytest.raises(ValueError, match="relative key"):
            storage.put_bytes(b"", key)


def test_odd_names_are_kept(storage: Storage) -> None:
    key = "папка/a b 'q' \"d\" 100%25 #1 &.bin"
    storage.put_bytes(b"1", key)
    assert [f.key for f in storage.list()] == [key]
    assert storage.read_bytes(key) == b"1"


def test_killed_writer_leaves_nothing_that_readers_see_and_its_file_is_cleaned(
    tmp_path: Path,
) -> None:
    storage = Storage(tmp_path)
    storage.put_bytes(b"1", "d/a.parquet")
    left = tmp_path / "d" / ".a.parquet.0123456789abcdef.kadr-tmp"
    left.write_bytes(b"half")
    assert [f.key for f in storage.list()] == ["d/a.parquet"]
    assert storage.clean_temporary("d", older_than_s=3600) == 0
    os.utime(left, (time.time() - 7200,) * 2)
    assert storage.clean_temporary("d", older_than_s=3600) == 1
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["a.parquet"]


def test_local_replacement_is_never_seen_half_written(tmp_path: Path) -> None:
    storage, stop, seen = Storage(tmp_path), threading.Event(), set()
    storage.put_bytes(b"a" * 500_000, "f")

    def read() -> None:
        while not stop.is_set():
            seen.add(storage.read_bytes("f"))

    reader = threading.Thread(target=read)
    reader.start()
    for letter in b"bcdefgh" * 3:
        storage.put_bytes(bytes([letter]) * 500_000, "f")
    stop.set()
    reader.join()
    assert seen and all(len(set(data)) == 1 and len(data) == 500_000 for data in seen)


def test_large_file_goes_up_in_parts(s3_bucket: Bucket, tmp_path: Path) -> None:  # noqa: F811
    data = os.urandom(20 << 20)
    (tmp_path / "big").write_bytes(data)
    storage = Storage(s3_bucket.url, s3_bucket.options)
    storage.put_file(tmp_path / "big", "big")
    assert storage.etag("big").strip('"').endswith("-2")  # two parts, says S3's etag
    assert storage.read_bytes("big") == data


def test_server_that_is_away_and_bucket_that_is_not_there_are_errors_for_people(
    s3_bucket: Bucket,  # noqa: F811
) -> None:
    away = Storage("s3://b", {**s3_bucket.options, "aws_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(StorageError, match="cannot read s3://b/x"):
        away.read_bytes("x")
    with pytest.raises(StorageError, match=r"NoSuchBucket|404"):
        list(Storage("s3://no-such-bucket", s3_bucket.options).list())


def test_options_of_another_store_are_passed_over_and_unknown_ones_refused() -> None:
    assert not Storage("s3://b", {"google_service_account": "x", "aws_region": "r"}).is_local
    with pytest.raises(ValueError, match="nonsense"):
        Storage("s3://b", {"nonsense": "1"})
    with pytest.raises(ValueError, match="s3://"):
        Storage("ftp://host/x")


def test_object_urls_are_taken_literally() -> None:
    assert split_url("s3://b/a b/x?y#z%20.mp4") == ("s3", "b", "a b/x?y#z%20.mp4")
