"""A store's URL taken apart. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from voxbus_objects.errors import BadStoreAddress

_OPTIONS: Final = {"endpoint", "region", "public"}


@dataclass(frozen=True, slots=True)
class FolderAddress:
    """A folder of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """A bucket of S3 or what speaks it. `endpoint` empty = AWS; `public_endpoint` = where signed URLs lead."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    public_endpoint: str


def parse_address(url: str) -> FolderAddress | BucketAddress:
    """A path, `file://…` or `s3://bucket/prefix?endpoint=…&region=…&public=…`. Raises BadStoreAddress."""
    if not url:
        raise BadStoreAddress("the store's address is empty: a folder, file:///… or s3://bucket/prefix")
    if "://" not in url:
        return FolderAddress(Path(url))
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise BadStoreAddress(f"{url!r}: file:// is followed by an absolute path, as in file:///var/lib/voxbus")
        return FolderAddress(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _bucket(parts.netloc, parts.path, parts.query)
    raise BadStoreAddress(f"scheme {parts.scheme!r} of the store's address is none of file and s3")


def _bucket(bucket: str, path: str, query: str) -> BucketAddress:
    if "@" in bucket:
        raise BadStoreAddress("credentials do not stand in the store's address but in AWS_ACCESS_KEY_ID and its like")
    if not bucket:
        raise BadStoreAddress("s3:// is followed by the name of a bucket")
    options = dict(parse_qsl(query))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise BadStoreAddress(f"option {unknown[0]!r} of the store's address is none of {', '.join(sorted(_OPTIONS))}")
    for name in ("endpoint", "public"):
        if name in options and not options[name].startswith(("http://", "https://")):
            raise BadStoreAddress(f"{name}={options[name]!r} of the store's address is no http(s) address")
    endpoint = options.get("endpoint", "")
    public = options.get("public", endpoint)
    return BucketAddress(bucket, path.strip("/"), endpoint, options.get("region", "us-east-1"), public)
