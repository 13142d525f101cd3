"""An engine that ends in the middle of a batch, told with what it held."""

from __future__ import annotations

from collections.abc import Sequence

from vlprm.errors import UserError

_SHOWN = 8


class EngineDiedError(UserError):
    """The engine is gone, and with it the requests it held: ``held`` (ids, in order).

    Finished batches are on disk; running the stage again goes on with the batch that is named.
    """

    def __init__(self, engine: str, cause: BaseException, held: Sequence[str]) -> None:
        self.held = tuple(held)
        shown = ", ".join(self.held[:_SHOWN])
        more = f" and {len(self.held) - _SHOWN} more" if len(self.held) > _SHOWN else ""
        said = str(cause).strip().splitlines() or ["no message"]
        super().__init__(
            f"the engine died ({type(cause).__name__}: {said[0]}) while it held"
            f" {len(self.held)} requests: {shown}{more}",
            where=engine,
            cure="run the stage again: it goes on with these; if they die again, look at the"
            " lines above for the first cause (memory, driver, one bad input)",
        )
