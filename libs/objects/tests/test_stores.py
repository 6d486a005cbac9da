"""A folder and a server that speaks S3 keep the same promises."""

import os
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxbus_objects import (
    BadKey,
    ObjectMissing,
    ObjectStore,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    UrlSigner,
    open_store,
)
from voxbus_testing.object_store import S3Server

SIGNER = UrlSigner("http://127.0.0.1:8080", b"sixteen bytes or more")


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(f"file://{tmp_path}/objects", SIGNER)
    server: S3Server = request.getfixturevalue("s3_server")
    return open_store(server.address("some/prefix"))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_was_put_is_got_whole_in_part_and_in_chunks(store: ObjectStore) -> None:
    await store.put("org/call/recording/mono.wav", b"0123456789")
    assert await store.get("org/call/recording/mono.wav") == b"0123456789"
    assert await store.get_range("org/call/recording/mono.wav", 2, 3) == b"234"
    assert await store.get_range("org/call/recording/mono.wav", 8, 100) == b"89"
    assert await store.get_range("org/call/recording/mono.wav", 10, 1) == b""
    assert b"".join([chunk async for chunk in store.stream("org/call/recording/mono.wav")]) == b"0123456789"
    assert (await store.head("org/call/recording/mono.wav")).size_bytes == 10


async def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    await store.put("a/b", b"first")
    await store.put("a/b", b"second")
    assert await store.get("a/b") == b"second"
    assert [each.key for each in await store.list("a")] == ["a/b"]


async def test_a_stream_is_put_whole(store: ObjectStore) -> None:
    part = os.urandom(3 * 1024 * 1024)
    await store.put_stream("a/large", chunks(part, part, part))
    assert await store.get("a/large") == part * 3


async def test_a_stream_that_breaks_leaves_nothing(store: ObjectStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise RuntimeError("the source broke")

    with pytest.raises((RuntimeError, StoreUnavailable)):
        await store.put_stream("a/large", broken())
    assert await store.list("a") == []


async def test_a_listing_is_of_one_folder_and_sorted(store: ObjectStore) -> None:
    for key in ("o/c1/x", "o/c1/recording/2", "o/c1/recording/1", "o/c10/x"):
        await store.put(key, b"content")
    assert [each.key for each in await store.list("o/c1/")] == ["o/c1/recording/1", "o/c1/recording/2", "o/c1/x"]
    assert [each.key for each in await store.list("o/nothing/")] == []


async def test_deleting_a_prefix_leaves_its_neighbours(store: ObjectStore) -> None:
    for key in ("o/c1/x", "o/c1/recording/1", "o/c10/x"):
        await store.put(key, b"content")
    assert await store.delete_prefix("o/c1/") == 2
    assert await store.delete_prefix("o/c1/") == 0
    assert [each.key for each in await store.list("o/")] == ["o/c10/x"]


async def test_deleting_what_is_not_there_is_no_fault(store: ObjectStore) -> None:
    await store.delete("nothing/here")


async def test_a_missing_object_is_named(store: ObjectStore) -> None:
    for reading in (store.get("o/c/none"), store.head("o/c/none"), store.get_range("o/c/none", 0, 1)):
        with pytest.raises(ObjectMissing, match="o/c/none"):
            await reading


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "a//b", "a/./b", "a\\b", "a#1"])
async def test_a_key_cannot_climb_out(store: ObjectStore, key: str) -> None:
    with pytest.raises(BadKey):
        await store.put(key, b"")
    with pytest.raises(BadKey):
        await store.get(key)


async def test_a_signed_url_of_s3_needs_no_header_and_ends(s3_server: S3Server) -> None:
    store = open_store(s3_server.address("p"))
    await store.put("o/c/recording/mono.wav", b"RIFF")
    url = await store.sign("o/c/recording/mono.wav", 60, time.time())
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"RIFF"
        assert response.headers["Content-Type"] == "audio/wav"
    assert "X-Amz-Expires=60" in url


async def test_a_signed_url_of_s3_leads_to_the_public_address(s3_server: S3Server) -> None:
    store = open_store(f"{s3_server.address('p')}&public=https://files.example.org")
    url = await store.sign("o/x", 60, time.time())
    assert url.startswith(f"https://files.example.org/{s3_server.bucket}/p/o/x?")


async def test_a_store_that_answers_503_is_unavailable_for_now(s3_server: S3Server) -> None:
    store = open_store(s3_server.address("p"))
    s3_server.door.status = 503
    with pytest.raises(StoreUnavailable) as problem:
        await store.put("o/x", b"content")
    assert problem.value.retryable
    assert s3_server.door.turned_away >= 2, "it is tried again a few times"
    s3_server.door.status = 0
    await store.put("o/x", b"content")
    assert await store.get("o/x") == b"content"


async def test_a_store_that_refuses_is_not_tried_again(s3_server: S3Server) -> None:
    store = open_store(s3_server.address("p"))
    s3_server.door.status = 403
    with pytest.raises(StoreRefused) as problem:
        await store.put("o/x", b"content")
    assert not problem.value.retryable
    assert s3_server.door.turned_away == 1


async def test_a_store_nobody_listens_at_is_unavailable(s3_server: S3Server) -> None:
    s3_server.door.close()
    with pytest.raises(StoreUnavailable):
        await open_store(s3_server.address("p")).get("o/x")


async def test_a_full_disk_says_so_and_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path / "objects"))
    await store.put("o/before", b"content")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull) as problem:
        await store.put("o/x", b"content")
    assert problem.value.retryable
    assert problem.value.code == "store-full"
    assert [each.key for each in await store.list("o/")] == ["o/before"]
    assert [path.name for path in (tmp_path / "objects" / "o").iterdir()] == ["before"]


async def test_files_of_a_folder_are_nobody_elses_to_read(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "objects"))
    await store.put("o/c/x", b"content")
    assert (tmp_path / "objects/o/c/x").stat().st_mode & 0o077 == 0
    assert (tmp_path / "objects/o").stat().st_mode & 0o077 == 0


async def test_a_folder_without_a_signer_signs_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with pytest.raises(StoreRefused, match="public address"):
        await store.sign("o/x", 60, 0)
