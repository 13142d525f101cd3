"""How Snakemake reports a failed job: the job's own message first, its command once.

Snakemake 9 prints the whole command with all that the rules export, then the command again, and
the log's content after both. The one line that matters comes last, or is only in the log.
"""

from __future__ import annotations

import logging
from pathlib import Path

_EVENT = "job_error"
_MOST = 6
"""Lines of a message that are printed before the rest."""
_TAIL_BYTES = 20_000


class MessageFirst(logging.Formatter):
    """Puts the message from a failed job's log before what ``inner`` prints about the job."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The record as ``inner`` formats it; for a failed job, below the job's message."""
        text = self._inner.format(record)
        if _event(record) != _EVENT:
            return text
        logs = [Path(str(file)) for file in getattr(record, "log", ())]
        said = next((found for file in logs if (found := message(file))), None)
        rule = getattr(record, "rule_name", "job")
        return f"{rule} failed: {said}\n{text}" if said else text


def _event(record: logging.LogRecord) -> str:
    event = getattr(record, "event", None)
    return str(getattr(event, "value", event))


def once(record: logging.LogRecord) -> bool:
    """Whether a record is kept; the command of a job whose failure is reported anyway is not."""
    text = record.getMessage()
    return "CalledProcessError" not in text or "returned non-zero exit status" not in text


def message(log: Path) -> str:
    """What a job's log ends with: its ``error:`` message and cure, otherwise its last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    lines = [line.rstrip() for line in lines if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if starts:
        return "\n".join(lines[starts[-1] :][:_MOST]).removeprefix("error: ")
    return lines[-1].strip() if lines else ""


def tell(logger: logging.Logger) -> None:
    """Make the logger's handlers report failed jobs this way."""
    for handler in logger.handlers:
        if not isinstance(handler.formatter, MessageFirst):
            handler.setFormatter(MessageFirst(handler.formatter))
            handler.addFilter(once)
