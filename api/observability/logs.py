"""What the service says while it runs: lines on stderr, for people or for programs, with the incident.

Nothing that looks like a credential gets into them.
"""

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.redaction.redactor import redact_text

if TYPE_CHECKING:
    from api.config.watch_settings import LogFormat
    from api.observability.metrics import Metrics

_FORMAT = "%(asctime)s %(levelname)-7s %(incident)s %(name)s: %(message)s"
_CREDENTIAL = re.compile(
    r"\bmg_[A-Za-z0-9_-]{20,}|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    re.IGNORECASE,
)
_OURS = ("api", "checkpoints", "graph", "tools")


class LogFormatter(logging.Formatter):
    """One line per event. What looks like a token is hidden, in tracebacks too."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(_FORMAT, datefmt="%Y-%m-%d %H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, naming the incident whose run logged it (`-` outside of runs)."""
        record.incident = _find_incident() or "-"
        return _hide(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `at`, `level`, `logger`, `message`, and of a run its `incident`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object, a `traceback` included where there is one."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _hide(record.getMessage()),
        }
        if incident := _find_incident():
            line["incident"] = incident
        if record.exc_info:
            line["traceback"] = _hide(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class _Counter(logging.Handler):
    """Tells the metrics of warnings and errors, by the room that they come from."""

    def __init__(self, metrics: "Metrics") -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        room = record.name.partition(".")[0]
        self._metrics.note_line(record.levelname.lower(), room if room in _OURS else "library")


def configure_logging(level: int = logging.INFO, style: "LogFormat" = "text") -> None:
    """Send the process's log to stderr: ours from `level` on, that of libraries from WARNING on.

    Libraries tell at INFO what the runner says better: LangGraph logs a traceback for every expected failure.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter() if style == "text" else JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


@asynccontextmanager
async def counting_lines(metrics: "Metrics") -> AsyncIterator[None]:
    """Count what is logged while the block runs."""
    counter = _Counter(metrics)
    logging.getLogger().addHandler(counter)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(counter)


def _hide(text: str) -> str:
    return redact_text(_CREDENTIAL.sub("<token>", text))


def _find_incident() -> str:
    """Return the incident after which the runner named the current task; an empty text outside of runs."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return ""
    name = task.get_name() if task else ""
    return name if name.startswith("inc-") else ""
