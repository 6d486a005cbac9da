"""Reads an uploaded file: multipart form data of limited size."""

from typing import Any, Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from voxbus_control_api.errors import BadRequest, PayloadTooLarge
from voxbus_control_api.uploads import Upload

Json = dict[str, Any]

_ENVELOPE_BYTES: Final = 64 * 1024
"""Headers, boundaries and the fields beside the file."""


async def read_upload(request: Request) -> Upload:
    """Raises PayloadTooLarge as soon as it is too much, or BadRequest."""
    limit = request.app.state.api.max_file_bytes
    _limit(request, limit + _ENVELOPE_BYTES)
    try:
        form = await request.form(max_files=1, max_fields=20)
    except (MultiPartException, HTTPException, FormParserError) as wrong:
        raise BadRequest(f"body must be multipart form data: {_reason(wrong)}") from None
    try:
        return await _upload(form, limit)
    finally:
        await form.close()


async def _upload(form: FormData, limit: int) -> Upload:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise BadRequest("file is required: a file in multipart form data")
    content = await file.read(limit + 1)
    if len(content) > limit:
        raise PayloadTooLarge(f"file must not be longer than {limit} bytes")
    purpose, metadata = form.get("purpose"), form.get("metadata")
    return Upload(
        name=file.filename or "",
        mimetype=(file.content_type or "application/octet-stream")[:255],
        content=content,
        purpose=purpose if isinstance(purpose, str) else None,
        metadata=metadata if isinstance(metadata, str) else None,
    )


def _limit(request: Request, most: int) -> None:
    """Counts what arrives, whatever the content-length says."""
    receive = request.receive
    read_bytes = 0

    async def counted() -> Any:
        nonlocal read_bytes
        message = await receive()
        read_bytes += len(message.get("body", b""))
        if read_bytes > most:
            raise PayloadTooLarge(f"request body must not be longer than {most} bytes")
        return message

    request._receive = counted  # pyright: ignore[reportPrivateUsage]  # there is no public way


def _reason(wrong: Exception) -> str:
    return str(getattr(wrong, "detail", "") or getattr(wrong, "message", "") or type(wrong).__name__)
