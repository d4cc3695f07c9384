"""Structured logs. A token that strays into a line is masked before it is written."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from core.tokens import without_tokens


def configure(*, json: bool, level: str, stream: TextIO | None = None) -> None:
    """Sends every log line of this process, the libraries' too, to `stream` (stderr)."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not json:
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_tokens,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in (
        "alembic",
        "botocore",
        "urllib3",
        "celery",
        "kombu",
        "amqp",
        "slack_sdk",
        "azure",
        "msal",
    ):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    # It warns with what the login host said, of which Keyturn tells no more than the code.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)


def mask_tokens(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A belt beside the braces: nothing that looks like a token leaves in a log line."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = without_tokens(value)
        elif not isinstance(value, int | float | bool | None):
            event[key] = without_tokens(str(value))
    return event
