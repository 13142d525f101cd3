"""The child process of ``answers.symbolic``: reads ``[gold, answer]`` lines, compares, replies.

Run as ``python -m vlprm.answers.symbolic_worker``; ends with its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from typing import TextIO

MEMORY = 2 * 1024**3
"""Address space in bytes: a power tower must not take the machine down."""
ALARM = 60
"""Seconds after which the process ends itself, should the parent have died."""


def compare(gold: str, answer: str) -> dict[str, object]:
    """``{"equal": true|false|null, "reason": text|null}``."""
    from math_verify import parse, verify

    try:
        # the wall-clock limit is the parent's: the library's own needs signals and threads
        parsed_gold = parse(f"${gold}$", parsing_timeout=None)
        if not parsed_gold:
            return {"equal": None, "reason": "gold answer is no formula"}
        parsed = parse(f"${answer}$", parsing_timeout=None)
        if not parsed:
            return {"equal": False, "reason": "not a formula"}
        return {"equal": bool(verify(parsed_gold, parsed, timeout_seconds=None)), "reason": None}
    except MemoryError:
        return {"equal": None, "reason": "symbolic comparison ran out of memory"}
    except Exception as error:  # whatever the algebra system raises: no comparison was made
        return {"equal": None, "reason": f"symbolic comparison failed ({type(error).__name__})"}


def serve(lines: TextIO, replies: TextIO) -> None:
    """Answer line by line until the input ends."""
    replies.write("ready\n")
    replies.flush()
    for line in lines:
        signal.alarm(ALARM)
        gold, answer = json.loads(line)
        replies.write(json.dumps(compare(gold, answer)) + "\n")
        replies.flush()
        signal.alarm(0)


def main() -> None:
    """Keep the reply channel to ourselves, bound the memory, load the library, serve."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not enter the protocol
    with contextlib.suppress(ValueError, OSError):  # not every system lets a process do so
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import math_verify  # noqa: F401  # loaded before "ready", so the limit times the comparison

    serve(sys.stdin, replies)


if __name__ == "__main__":
    main()
