"""What may be said of an unexpected failure: a foreign error's own text may quote what a person said."""

import traceback
from typing import ClassVar


class Again(Exception):
    """A handler's wish to get the message once more after `delay_s`; nothing has failed.

    retryable: it is delivered again.
    """

    code: ClassVar[str] = "again"
    retryable: ClassVar[bool] = True

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s} s")
        self.delay_s = delay_s


def where_raised(problem: BaseException) -> str:
    """`file:line` that raised it, empty when it was never raised."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
