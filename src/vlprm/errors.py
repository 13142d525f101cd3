"""The one error a user is meant to see: what is wrong, where, and what to write instead."""

from __future__ import annotations


class UserError(Exception):
    """Bad input, configuration or environment.

    The command line prints the message without a traceback and exits with status 2.
    """

    def __init__(self, what: str, *, where: str | None = None, cure: str | None = None) -> None:
        self.what, self.where, self.cure = what, where, cure
        parts = [f"{where}: {what}" if where else what]
        if cure:
            parts.append(f"  -> {cure}")
        super().__init__("\n".join(parts))
