"""What the service says while it runs: readable lines on stderr, with the incident, never with a token."""

import asyncio
import logging
import re
import sys

_FORMAT = "%(asctime)s %(levelname)-7s %(incident)s %(name)s: %(message)s"
_CREDENTIAL = re.compile(
    r"\bam_[A-Za-z0-9_-]{20,}|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE
)
_OURS = ("api", "checkpoints", "graph", "tools")


class LogFormatter(logging.Formatter):
    """One line per event. What looks like a token is hidden, in tracebacks too."""

    def __init__(self) -> None:
        super().__init__(_FORMAT, datefmt="%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, naming the incident whose run logged it (`-` outside of runs)."""
        record.incident = _find_incident()
        return _CREDENTIAL.sub("<token>", super().format(record))


def configure_logging(level: int = logging.INFO) -> None:
    """Send the process's log to stderr: ours from `level` on, that of libraries from WARNING on.

    Libraries tell at INFO what the runner says better: LangGraph logs a traceback for every expected failure.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def _find_incident() -> str:
    """Return the incident after which the runner named the current task."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "-"
    name = task.get_name() if task else ""
    return name if name.startswith("inc-") else "-"
