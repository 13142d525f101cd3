"""A failed job's message first, its command once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vlprm.preflight.failed_jobs import MessageFirst, message, once, tell


def record(text: str, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, **more})


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("go\nerror: a:3: no JSON\n  -> correct it\n", "a:3: no JSON\n  -> correct it"),
        ("error: first\nerror: last\n", "last"),
        ("Traceback (most recent call last):\n  File\nKeyError: 'x'\n\n", "KeyError: 'x'"),
        ("\n", ""),
    ],
)  # fmt: skip
def test_what_a_log_ends_with(tmp_path: Path, log: str, said: str) -> None:
    (tmp_path / "job.log").write_text(log)
    assert message(tmp_path / "job.log") == said


def test_no_log_and_a_log_of_bytes(tmp_path: Path) -> None:
    assert message(tmp_path / "none.log") == ""
    (tmp_path / "job.log").write_bytes(b"\xff\n" * 50_000 + b"error: full\n")
    assert message(tmp_path / "job.log") == "full"


def test_the_message_stands_before_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("error: a.jsonl:3: no JSON\n")
    told = MessageFirst(None).format(
        record("Error in rule prepare:", event="job_error", rule_name="prepare", log=[str(log)])
    )
    assert told == "prepare failed: a.jsonl:3: no JSON\nError in rule prepare:"
    assert MessageFirst(None).format(record("Error", log=[str(log)])) == "Error"


def test_only_the_command_of_a_failure_is_left_out() -> None:
    assert not once(record("CalledProcessError in x:\n'y' returned non-zero exit status 2."))
    assert once(record("Error in rule prepare:"))


def test_a_logger_is_changed_once() -> None:
    logger = logging.getLogger("vlprm.test")
    handler = logging.StreamHandler()
    logger.handlers = [handler]
    for _ in range(2):
        tell(logger)
    assert isinstance(handler.formatter, MessageFirst)
    assert len(handler.filters) == 1
