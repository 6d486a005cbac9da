"""What may be said of an unexpected failure: a foreign error's own text may quote what a person said."""

import traceback


def where_raised(problem: BaseException) -> str:
    """`file:line` that raised it, empty when it was never raised."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
