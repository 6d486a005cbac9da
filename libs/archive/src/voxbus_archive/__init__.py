"""A call's whole log as one compressed, checksummed object."""

from voxbus_archive.call_log import ArchivedMessage, CallArchive, parse_archive, serialize_archive
from voxbus_archive.errors import BrokenArchive

__all__ = ["ArchivedMessage", "BrokenArchive", "CallArchive", "parse_archive", "serialize_archive"]
