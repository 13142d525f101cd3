"""The command line: one command per stage, paths and configuration as arguments, nothing else.

The same line runs from a rule, by hand, in a debugger and in a container.
"""

from __future__ import annotations

import logging
import sys

from vlprm.cli import (
    absent,
    audit,
    compare,
    conversations,
    cost,
    ledgers,
    plan,
    preflight,
    rehearsal,
    scoring,
    status,
)
from vlprm.cli.app import app
from vlprm.determinism import settle_environment
from vlprm.errors import UserError

__all__ = [
    "absent",
    "app",
    "audit",
    "compare",
    "conversations",
    "cost",
    "ledgers",
    "main",
    "plan",
    "preflight",
    "rehearsal",
    "scoring",
    "status",
]


def main() -> None:
    """Run a command; a UserError is one message and exit status 2."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    try:
        settle_environment()
        app()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
