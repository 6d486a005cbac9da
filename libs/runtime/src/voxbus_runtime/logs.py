"""Structured logs on stderr; secrets and personal text are cut out whatever a caller passes."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_SECRETS: Final = {"secret", "token", "authorization", "password", "api_key", "apikey", "key", "headers", "cluster_key"}
_PERSONAL: Final = {
    "text",
    "content",
    "transcript",
    "heard",
    "arguments",
    "result",
    "digits",
    "destination",
    "payload",
    "body",
}
_CUT: Final = frozenset(_SECRETS | _PERSONAL)


def cut_out(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every field that may hold a secret or a person's words."""
    for name in event:
        if name.lower() in _CUT:
            event[name] = "[cut]"
    return event


def set_up_logs(service: str, worker: str, level: str, style: str) -> structlog.stdlib.BoundLogger:
    """Configures logging for the process and returns its logger."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            cut_out,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    return structlog.get_logger().bind(service=service, worker=worker)
