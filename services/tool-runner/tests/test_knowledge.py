"""Files become passages that are found again by what is asked."""

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from kinds_at_hand import Stored, tool_runner

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig, KnowledgeFile
from voxbus_objects import open_store
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.errors import BadArguments, KnowledgeMissing
from voxbus_tool_runner.kinds.query import NOTHING
from voxbus_tool_runner.knowledge.library import Library
from voxbus_tool_runner.knowledge.passages import LONGEST, passages_of
from voxbus_tool_runner.knowledge.reading import text_of

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
RETURNS = "# Returns\n\nShoes can be returned within thirty days.\n\n# Shipping\n\nParcels go out on Fridays."
PRICES = "product,price\nEspresso,2.40\nCappuccino,3.10\n"
HOURS = '[{"day": "Monday", "open": "9 to 5"}, {"day": "Sunday", "open": null}]'


def docx(*paragraphs: str) -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    texts = "".join(f"<w:p><w:r><w:t>{each}</w:t></w:r></w:p>" for each in paragraphs)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as parts:
        parts.writestr("word/document.xml", f'<w:document xmlns:w="{space}"><w:body>{texts}</w:body></w:document>')
    return made.getvalue()


def pdf(text: str) -> bytes:
    """The smallest file that a reader takes for a PDF with a line of text."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        font,
    ]
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n%btrailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(made),
    )
    return made + end


class Shelf:
    """Files in a folder, and a query tool over them."""

    def __init__(self, folder: Path, **contents: bytes) -> None:
        self.objects = open_store(str(folder))
        self.contents = contents

    async def ask(self, query: str, **arguments: Any) -> Answer:
        files: dict[str, KnowledgeFile] = {}
        for name, content in self.contents.items():
            key = f"acme/files/{name}"
            await self.objects.put(key, content)
            files[name] = KnowledgeFile(name=name.replace("_", "."), key=key)
        bases = [
            {"name": "rules", "description": "returns and shipping", "fileIds": ["rules_md"]},
            {"name": "rest", "fileIds": [name for name in self.contents if name != "rules_md"]},
        ]
        tool = {"type": "query", "knowledgeBases": bases}
        assistant = Assistant.model_validate({"model": {"tools": [tool]}})
        config = CallConfig(org=REF.org, call=REF.call, created_at_ms=1, assistant=assistant, tool_files=files)
        runner = tool_runner(Stored(config), httpx.AsyncClient(), objects=self.objects)
        chosen = {"query": query, **arguments}
        command = RunTool(tool_call_id="call_1_1", tool_name="query", arguments=chosen, timeout_ms=20_000)
        return await runner.perform(await runner.prepare(REF, command, ""))


async def test_passages_come_with_the_names_of_their_files(tmp_path: Path) -> None:
    shelf = Shelf(
        tmp_path,
        rules_md=RETURNS.encode(),
        prices_csv=PRICES.encode(),
        hours_json=HOURS.encode(),
        letter_docx=docx("Dear guest", "The sauna is heated in winter."),
        menu_pdf=pdf("Tiramisu is made every morning"),
    )
    for query, file, words in [
        ("Can I return a shoe?", "rules.md", "within thirty days"),
        ("how much is a cappuccino", "prices.csv", "price: 3.10"),
        ("are you open on monday", "hours.json", "9 to 5"),
        ("is there a sauna", "letter.docx", "heated in winter"),
        ("tiramisu", "menu.pdf", "every morning"),
    ]:
        first = (await shelf.ask(query)).value[0]
        assert first["file"] == file, query
        assert words in first["text"]
    assert (await shelf.ask("zebra")).result == NOTHING
    assert (await shelf.ask("cappuccino", knowledgeBase="rules")).result == NOTHING


async def test_what_cannot_be_looked_up_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, rules_md=b"x")
    with pytest.raises(BadArguments, match="knowledgeBase must be one of: rules, rest"):
        await shelf.ask("x", knowledgeBase="other")
    with pytest.raises(BadArguments, match="query must say"):
        await shelf.ask(" ")
    with pytest.raises(KnowledgeMissing, match="None of the files can be read"):
        await Shelf(tmp_path, broken_pdf=b"%PDF-1.4 nothing").ask("x", knowledgeBase="rest")


async def test_the_same_contents_are_indexed_once_under_whatever_key(tmp_path: Path) -> None:
    objects = open_store(str(tmp_path))
    library = Library(objects)
    for key in ("acme/files/a.md", "acme/files/b.md"):
        await objects.put(key, RETURNS.encode())
        index = await library.index([KnowledgeFile(name="rules.md", key=key)])
        assert index.best("shoes", 5)
    assert library.built == 1
    await objects.delete("acme/files/a.md")
    assert (await library.index([KnowledgeFile(name="rules.md", key="acme/files/a.md")])).best("fridays", 1)


async def test_a_bomb_in_a_file_ends_with_its_reader() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", b"<a>" * 40_000_000)
    with pytest.raises(Exception, match="damaged"):
        await text_of(made.getvalue(), "docx")


def test_long_texts_are_cut_between_sentences_and_no_passage_is_too_long() -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(500))
    passages = passages_of(text, "txt")
    assert len(passages) > 10
    assert all(each.endswith(".") for each in passages)
    assert all(len(each) <= LONGEST for each in passages_of("x" * 10_000, "txt"))
    assert "".join(passages_of("x" * 10_000, "txt")).count("x") == 10_000
