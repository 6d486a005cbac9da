"""Parts of a file, as players ask for them (RFC 9110, section 14). Pure."""

import re
from typing import Final

_ONE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def asked_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """First byte and how many; None = the whole file, for what is no single range of it."""
    found = _ONE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2] or size_bytes - 1), size_bytes - 1)
    else:
        start, end = max(0, size_bytes - int(found[2])), size_bytes - 1
    return (start, end - start + 1) if start <= end else None
