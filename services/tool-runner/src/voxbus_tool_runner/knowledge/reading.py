"""The text of a file. PDF and Word are taken apart in a child process with limits: they are other people's programs.

`python -m voxbus_tool_runner.knowledge.reading pdf`: bytes on standard input, text on standard output.
"""

import asyncio
import contextlib
import io
import resource
import sys
import zipfile
from typing import Final
from xml.etree import ElementTree

from voxbus_tool_runner.errors import FileUnreadable

IN_A_CHILD: Final = frozenset({"pdf", "docx"})
TEXTS: Final = frozenset(
    {"txt", "md", "markdown", "csv", "tsv", "json", "jsonl", "html", "xml", "yaml", "yml", "log", ""}
)

_WITHIN_S: Final = 30.0
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_LONGEST_TEXT: Final = 20_000_000
_WORDS: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def kind_of(name: str, mimetype: str) -> str:
    """By the ending of its name, else by its type: `pdf`, `docx`, `csv` …"""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending in IN_A_CHILD | TEXTS and ending:
        return ending
    kind = mimetype.partition(";")[0].strip().lower()
    if "wordprocessingml" in kind:
        return "docx"
    return kind.rpartition("/")[2].removeprefix("x-") if kind else ending


async def text_of(content: bytes, kind: str) -> str:
    """Raises FileUnreadable."""
    if kind in IN_A_CHILD:
        return await _in_a_child(content, kind)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if kind in TEXTS or kind == "plain":
            return content.decode("cp1252", errors="replace")
        raise FileUnreadable("its type cannot be read as text") from None


async def _in_a_child(content: bytes, kind: str) -> str:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "voxbus_tool_runner.knowledge.reading", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_WITHIN_S):
            told, _ = await child.communicate(content)
    except TimeoutError:
        raise FileUnreadable("it takes too long to be read") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode:
        raise FileUnreadable("it is damaged, encrypted, or has too much in it")
    return told.decode("utf-8", errors="replace")


def pdf_text(content: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415  # 4 MB that only this child needs

    return "\n\n".join(page.extract_text() or "" for page in PdfReader(io.BytesIO(content)).pages)


def docx_text(content: bytes) -> str:
    """Paragraphs of the document; a table's cells are paragraphs too."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        if parts.getinfo("word/document.xml").file_size > _LONGEST_TEXT * 4:
            raise ValueError("too large")
        tree = ElementTree.fromstring(parts.read("word/document.xml"))  # noqa: S314  # a child with limits, killed in time
    texts = ["".join(node.text or "" for node in each.iter(f"{_WORDS}t")) for each in tree.iter(f"{_WORDS}p")]
    return "\n\n".join(text for text in texts if text.strip())


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(_WITHIN_S), int(_WITHIN_S)))
    read = {"pdf": pdf_text, "docx": docx_text}[sys.argv[1]]
    sys.stdout.buffer.write(read(sys.stdin.buffer.read())[:_LONGEST_TEXT].encode("utf-8", errors="replace"))


if __name__ == "__main__":
    main()
