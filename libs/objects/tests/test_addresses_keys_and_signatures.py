"""Pure parts: URLs of stores, the layout of keys, URLs that expire."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import CallRef
from voxbus_objects import BadKey, BadSignature, BadStoreAddress, SignatureExpired, UrlSigner, check_signature, keys
from voxbus_objects.address import BucketAddress, FolderAddress, parse_address
from voxbus_objects.signing import PATH, signing_secret

REF = CallRef("org1", "11111111-1111-4111-8111-1111111111ab")
SECRET = b"0123456789abcdef"


def test_a_path_and_a_file_url_are_a_folder() -> None:
    assert parse_address("var/objects") == FolderAddress(Path("var/objects"))
    assert parse_address("file:///var/my%20objects") == FolderAddress(Path("/var/my objects"))


def test_a_bucket_has_prefix_endpoint_region_and_public_address() -> None:
    url = "s3://calls/a/b/?endpoint=http://minio:9000&region=eu-central-1&public=https://f.example.org"
    wanted = BucketAddress("calls", "a/b", "http://minio:9000", "eu-central-1", "https://f.example.org")
    assert parse_address(url) == wanted
    assert parse_address("s3://calls") == BucketAddress("calls", "", "", "us-east-1", "")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "empty"),
        ("ftp://x", "'ftp'"),
        ("file://host/x", "file://"),
        ("s3://", "bucket"),
        ("s3://key:secret@bucket", "AWS_ACCESS_KEY_ID"),
        ("s3://b?endpont=http://x", "'endpont'"),
        ("s3://b?endpoint=minio:9000", "endpoint"),
    ],
)
def test_an_address_that_cannot_be_used_says_which_part(url: str, named: str) -> None:
    with pytest.raises(BadStoreAddress, match=named):
        parse_address(url)


def test_everything_of_a_call_lies_below_one_prefix() -> None:
    for key in (
        keys.segment(REF, 0, 1, 1),
        keys.recording(REF, "stereo", "wav"),
        keys.archive(REF),
        keys.call_logs(REF),
    ):
        assert key.startswith(keys.call_prefix(REF))
        assert keys.checked_key(key) == key


@given(st.integers(0, 9_999_999_999), st.integers(0, 99_999_999), st.integers(0, 999_999))
def test_a_segments_key_tells_its_pts_epoch_and_number(pts_ms: int, epoch: int, number: int) -> None:
    assert keys.parse_segment(keys.segment(REF, pts_ms, epoch, number)) == (pts_ms, epoch, number)


@pytest.mark.parametrize("bad", ["a/b", "", "..", "x y"])
def test_what_a_customer_names_is_one_part_of_a_key(bad: str) -> None:
    with pytest.raises((BadKey, ValueError)):
        keys.customer_file("org1", bad)
    with pytest.raises((BadKey, ValueError)):
        keys.customer_file("org1", "file-1", bad or "WAV")


@given(st.integers(0, 4_000_000_000))
def test_a_signed_url_is_valid_until_it_expires_and_for_one_key_only(expires_at_s: int) -> None:
    key = keys.recording(REF, "mono", "wav")
    url = urlsplit(UrlSigner("https://api.example.org/", SECRET).url(key, expires_at_s))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert unquote(url.path) == PATH + key
    assert check_signature(SECRET, key, query["expires"], query["signature"], expires_at_s - 1) == key
    with pytest.raises(SignatureExpired):
        check_signature(SECRET, key, query["expires"], query["signature"], expires_at_s)
    with pytest.raises(BadSignature):
        check_signature(SECRET, keys.archive(REF), query["expires"], query["signature"], 0)
    with pytest.raises(BadSignature):
        check_signature(SECRET, key, str(expires_at_s + 1), query["signature"], 0)
    with pytest.raises(BadSignature):
        check_signature(b"another secret..", key, query["expires"], query["signature"], 0)


@pytest.mark.parametrize("expires", ["", "x", "-1", "1e9", "1" * 13, "１２"])
def test_an_expiry_that_is_no_number_is_refused(expires: str) -> None:
    with pytest.raises(BadSignature, match="expires"):
        check_signature(SECRET, "a/b", expires, "00", 0)


def test_a_signature_of_other_letters_is_refused_and_does_not_break() -> None:
    with pytest.raises(BadSignature):
        check_signature(SECRET, "a/b", "10", "ü", 0)


def test_services_derive_the_same_secret_from_the_cluster_key() -> None:
    assert signing_secret("key") == signing_secret("key") != signing_secret("other")
    with pytest.raises(BadSignature, match="16 bytes"):
        UrlSigner("http://x", b"short")


def test_the_key_of_an_archive_names_its_call_and_other_keys_name_none() -> None:
    assert keys.archived_call(keys.archive(REF)) == REF
    for other in (keys.call_logs(REF), "archive/log.jsonl.zst", f"a.b/{REF.call}/archive/log.jsonl.zst", ""):
        assert keys.archived_call(other) is None
