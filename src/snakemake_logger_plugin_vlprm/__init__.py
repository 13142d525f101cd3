"""Found by Snakemake because of its name, and imported before it reads a configuration file.

That is the only moment at which a file that is absent, or no YAML, can be told with file, line and
cure: Snakemake's own reading, which comes next, ends in a traceback or in one general sentence.
"""

from __future__ import annotations

import sys

from snakemake.logging import LogHandlerBase

from vlprm.preflight.driver import check_readable

__all__ = ["LogHandler"]


class LogHandler(LogHandlerBase):  # type: ignore[misc] # Snakemake ships no types
    """Snakemake's interface asks for one. This one keeps nothing: no profile chooses it."""

    def __post_init__(self) -> None:
        """Nothing to open."""

    def emit(self, record: object) -> None:
        """Nothing to write."""
        del record

    @property
    def writes_to_stream(self) -> bool:
        """False: Snakemake's own handler stays."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """False: Snakemake's own log stays."""
        return False

    @property
    def has_filter(self) -> bool:
        """True: none is needed."""
        return True

    @property
    def has_formatter(self) -> bool:
        """True: none is needed."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """False."""
        return False


check_readable(sys.argv)
