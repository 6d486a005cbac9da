"""The indexes of this process: built when first asked for, kept by what is in their files."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from voxbus_contracts.config import KnowledgeFile
from voxbus_objects import ObjectFault, ObjectMissing, ObjectStore
from voxbus_tool_runner.errors import FileUnreadable, KnowledgeMissing, KnowledgeUnreachable
from voxbus_tool_runner.knowledge.index import Passage, PassageIndex
from voxbus_tool_runner.knowledge.passages import passages_of
from voxbus_tool_runner.knowledge.reading import kind_of, text_of

KEPT_CHARACTERS: Final = 50_000_000
"""Of all indexes together; the one not asked for longest goes first. They take two to three bytes a character."""

LARGEST_FILE_BYTES: Final = 50 * 1024 * 1024


class Library:
    """By the hashes of the files' contents: the same files under other ids, or of other calls, are read once."""

    def __init__(self, objects: ObjectStore, kept_characters: int = KEPT_CHARACTERS) -> None:
        self._objects = objects
        self._kept_characters = kept_characters
        self._hashes: OrderedDict[str, str] = OrderedDict()
        self._indexes: OrderedDict[str, PassageIndex] = OrderedDict()
        self._building: dict[str, asyncio.Lock] = {}
        self.built = 0
        """How many indexes were made."""

    async def index(self, files: Sequence[KnowledgeFile]) -> PassageIndex:
        """Raises KnowledgeMissing, KnowledgeUnreachable."""
        name = "\n".join(sorted(file.key for file in files))
        lock = self._building.setdefault(name, asyncio.Lock())
        async with lock:
            try:
                return await self._index(files)
            finally:
                self._building.pop(name, None)

    async def _index(self, files: Sequence[KnowledgeFile]) -> PassageIndex:
        contents: dict[str, bytes] = {}
        for file in files:
            if file.key not in self._hashes:  # what lies at a key never changes: an upload makes another
                contents[file.key] = await self._content(file)
                self._hashes[file.key] = hashlib.sha256(contents[file.key]).hexdigest()
        key = "\n".join(sorted(f"{self._hashes[file.key]} {file.name}" for file in files))
        if key in self._indexes:
            self._indexes.move_to_end(key)
            return self._indexes[key]
        passages: list[Passage] = []
        unread: list[FileUnreadable] = []
        for file in files:
            try:
                passages += await _passages(file, contents.get(file.key) or await self._content(file))
            except FileUnreadable as problem:
                unread.append(problem)
        if unread and not passages:
            raise KnowledgeMissing(f"None of the files can be read: {unread[0]}.")
        made = await asyncio.to_thread(PassageIndex, passages)
        self.built += 1
        self._indexes[key] = made
        self._make_room()
        return made

    def _make_room(self) -> None:
        while (
            len(self._indexes) > 1 and sum(each.characters for each in self._indexes.values()) > self._kept_characters
        ):
            self._indexes.popitem(last=False)

    async def _content(self, file: KnowledgeFile) -> bytes:
        try:
            if (await self._objects.head(file.key)).size_bytes > LARGEST_FILE_BYTES:
                raise KnowledgeMissing(f"The file {file.name} is too large to be looked things up in.")
            return await self._objects.get(file.key)
        except ObjectMissing:
            raise KnowledgeMissing(f"The file {file.name} is not there any more.") from None
        except ObjectFault:
            raise KnowledgeUnreachable("The files cannot be reached.") from None


async def _passages(file: KnowledgeFile, content: bytes) -> list[Passage]:
    kind = kind_of(file.name, file.mimetype)
    text = await text_of(content, kind)
    return [Passage(file.name, each) for each in await asyncio.to_thread(passages_of, text, kind)]
