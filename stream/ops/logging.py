"""Logs: one entry per line on stderr, JSON or readable, never with secrets or personal data.

Own code logs with `structlog.get_logger(__name__)`; what libraries log through the standard library goes the same
way, from WARNING. The root logger stays at WARNING: at DEBUG Faust spends a fifth of its time and more on logging.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Literal, TextIO

import structlog
from pydantic import BaseModel, SecretStr

from stream.ops.redaction import Redaction

OWN = ("stream", "producers")
FAUST = "stream.engine.faust"
COORDINATOR = "aiokafka.consumer.group_coordinator"
COORDINATOR_NOISE = ("Group Coordinator Request failed", "Marking the coordinator dead")
Format = Literal["auto", "json", "console"]


def configure_logging(
    level: str = "info",
    form: Format = "auto",
    *,
    secrets: Iterator[str] | tuple[str, ...] = (),
    to: TextIO | None = None,
) -> None:
    """Send the process's logs to `to` (stderr). `form` auto: readable on a terminal, JSON otherwise.

    Called once, by the program's entry; calling it again replaces what was set.
    """
    target = to or sys.stderr
    readable = form == "console" or (form == "auto" and target.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _Redactor(Redaction(secrets)),
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(readable, target)],
        )
    )
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())
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


def hide(secrets: Iterable[str]) -> None:
    """Secrets that became known after logging was configured: they must not be logged either."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Redactor):  # the one that entries of libraries pass, too
            processor.redaction.hide(secrets)


def secrets_of(model: BaseModel) -> Iterator[str]:
    """Every resolved secret in a configuration, for `configure_logging`."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SecretStr):
                yield item.get_secret_value()
            elif isinstance(item, BaseModel):
                yield from secrets_of(item)


def _is_news(record: logging.LogRecord) -> bool:
    """False for what Faust says through the loggers of our classes that are Faust's ("[^Worker]: Starting..."), and for
    what aiokafka calls an error while a broker that has just started makes its coordinator.
    """
    from_structlog = isinstance(record.msg, dict)
    if record.name.startswith(FAUST) and not from_structlog:
        return record.levelno >= logging.WARNING
    return not (record.name == COORDINATOR and str(record.msg).startswith(COORDINATOR_NOISE) and _is_15(record))


def _is_15(record: logging.LogRecord) -> bool:
    """Kafka's error 15, GroupCoordinatorNotAvailable, or its consequence."""
    message = record.getMessage()
    return "[Error 15]" in message or message.startswith(COORDINATOR_NOISE[1])


class _Redactor:
    """A processor that takes private data out of what others have put into an entry."""

    kept = ("_record", "_from_structlog", "timestamp", "level", "logger")

    def __init__(self, redaction: Redaction) -> None:
        self.redaction = redaction

    def __call__(self, _: object, __: str, entry: MutableMapping[str, object]) -> Mapping[str, object]:
        own = {key: entry[key] for key in self.kept if key in entry}
        return self.redaction.entry({key: value for key, value in entry.items() if key not in own}) | own


def _renderer(readable: bool, target: TextIO) -> structlog.typing.Processor:
    if readable:
        return structlog.dev.ConsoleRenderer(colors=target.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False)
