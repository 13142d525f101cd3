"""Symbolic comparison of formulas, in a worker process that is killed at a wall-clock limit.

Math-Verify may hang or exhaust memory on a hostile formula, and its own time limits need signals.
So it runs in its own process (``symbolic_worker``). A comparison that does not come back is None.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import selectors
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

from vlprm.answers.notation import bare

SECONDS = 10.0
"""Wall-clock limit of one comparison."""
START_SECONDS = 120.0
"""Limit for starting the worker (importing the algebra system on a busy machine)."""

_COMMAND = re.compile(r"\\[A-Za-z]+")
_FUNCTIONS = re.compile(r"(?i)\b(?:arc)?(?:sin|cos|tan|cot|sec|csc|log|ln|exp|max|min|sqrt|pi)\b")
_QUANTITY = re.compile(
    r"[-+]?[\d.,]+(?:[a-zA-Z]{2,}|[AFJKLNVWghlms])(?:\^\{?-?\d\}?)?(?:/[a-zA-Z]+(?:\^\{?\d\}?)?)?"
)
"""A number and a unit; one letter counts if it is a unit's symbol (``3x`` is a formula)."""


_COMPUTED = frozenset(
    (
        *(r"\frac", r"\sqrt", r"\pi", r"\times", r"\cdot", r"\div", r"\log", r"\ln", r"\exp"),
        *(r"\sin", r"\cos", r"\tan", r"\cot", r"\sec", r"\csc", r"\arcsin", r"\arccos"),
        *(r"\arctan", r"\binom", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\circ"),
        *(r"\pm", r"\mp", r"\infty", r"\lvert", r"\rvert"),
    )
)
_LEFT_OUT = frozenset(
    (
        *(r"\ldots", r"\dots", r"\cdots", r"\overline", r"\mod", r"\bmod", r"\pmod", r"\mid"),
        *(r"\parallel", r"\prime", r"\bar", r"\tilde", r"\hat"),
    )
)
_DANGLING = re.compile(
    r"(?:[-+*/^_=(\[{<>]|\\(?:times|cdot|div|sqrt|frac|log|ln|exp|sin|cos|tan|pm))\s*$|\.\."
)
_ABSOLUTE = re.compile(r"(?<![\w)}])\|([^|]+)\|")
_UNKNOWN = re.compile(r"(?<!\\log)_|[|'\"?&#;:@]")


class _TimedOutError(Exception):
    """The worker sent no line in time, or ended."""


class _Worker:
    """The child process and its line protocol: one JSON request, one JSON reply."""

    def __init__(self) -> None:
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vlprm.answers.symbolic_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        if self._line(START_SECONDS) != "ready":
            self.kill()
            raise _TimedOutError

    def ask(self, gold: str, answer: str, seconds: float) -> dict[str, object]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([gold, answer]).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _TimedOutError from error
        reply = json.loads(self._line(seconds))
        assert isinstance(reply, dict)
        return reply

    def _line(self, seconds: float) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise _TimedOutError
        line = self._process.stdout.readline()
        if not line:
            raise _TimedOutError
        return line.decode().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def is_wording(text: str) -> bool:
    """Words, labels (``AB``) or a number with a unit: things symbolic maths must not see."""
    written = bare(text)
    letters = _FUNCTIONS.sub("", _COMMAND.sub(" ", written))
    joined = re.sub(r"\s+", "", letters)
    if len(joined) > 1 and joined.isalpha() and "\\" not in written:
        return True
    if _QUANTITY.fullmatch(re.sub(r"\s+", "", written)):
        return True
    return re.search(r"[A-Za-z]{3,}", letters) is not None


def passes_over(gold: str, answer: str, *, number: bool) -> bool:
    r"""Would Math-Verify ignore a part of the answer that changes it (``5\ldots``, ``5+``)?

    Against a gold ``number`` it gets only what it is known to compute. Against a formula it gets
    everything, except what it is known to ignore and the gold answer does not contain.
    """
    commands = {*_COMMAND.findall(answer)} - {*_COMMAND.findall(gold)}
    if _DANGLING.search(answer) and not _DANGLING.search(gold):
        return True
    if number:
        return (
            not commands <= _COMPUTED or _UNKNOWN.search(_ABSOLUTE.sub(r"(\1)", answer)) is not None
        )
    return bool(commands & _LEFT_OUT)


class _Comparer:
    """Owns the one worker of this process; starts it when first asked, and again after a kill."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None
        self._lock = threading.Lock()

    def compare(self, gold: str, answer: str, seconds: float) -> dict[str, object]:
        with self._lock:
            try:
                if self._worker is None:
                    self._worker = _Worker()
                return self._worker.ask(gold, answer, seconds)
            except _TimedOutError:
                self.close()
                raise

    def close(self) -> None:
        if self._worker is not None:
            self._worker.kill()
        self._worker = None


_comparer = _Comparer()
atexit.register(_comparer.close)


def verify(gold: str, answer: str, *, seconds: float = SECONDS) -> tuple[bool | None, str | None]:
    """``(equal, reason)``; None when gold is no formula, time ran out or the worker died."""
    try:
        return _verify(_latex(gold), _latex(answer), seconds)
    except _TimedOutError:
        return None, f"symbolic comparison did not come back within {seconds:g} s"


def _latex(text: str) -> str:
    """Math-Verify knows degrees by their command alone."""
    return text.replace("°", r"^{\circ}")


@lru_cache(maxsize=65536)
def _verify(gold: str, answer: str, seconds: float) -> tuple[bool | None, str | None]:
    """Cached; a comparison that did not come back raises and is not."""
    reply = _comparer.compare(gold, answer, seconds)
    equal, reason = reply["equal"], reply["reason"]
    return (None if equal is None else bool(equal)), (None if reason is None else str(reason))
