"""Before the first call that costs: is every endpoint there, with the key and the model?

Nothing that is asked here is billed: the list of models, and of Azure, whose list does not name
deployments, a request without messages, which a deployment refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vlprm.engines.chat.line import CONNECT_S, Line
from vlprm.engines.chat.outcome import refused_by
from vlprm.errors import UserError

_TRIES, _PAUSE_S = 3, 0.5
_SHOWN = 8


async def look_at(lines: Sequence[Line]) -> None:
    """Look at all endpoints at once; those that say too little are marked as not proved.

    Raises UserError with everything that is wrong, for the first endpoint that is not there, does
    not take the key, or has no such model.
    """
    found = await asyncio.gather(*(_look(line) for line in lines))
    wrong = [error for error in found if error is not None]
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise UserError(
            f"{len(wrong)} of {len(lines)} endpoints cannot be asked:\n"
            + "\n".join(f"  {item.what}\n    -> {item.cure}" for item in wrong),
            where="labels.judge.endpoints",
        )


async def _look(line: Line) -> UserError | None:
    import openai

    endpoint = line.endpoint
    line.proved = False
    for attempt in range(_TRIES):
        try:
            if endpoint.kind == "azure":
                await line.client.chat.completions.create(
                    model=line.model, messages=[], timeout=CONNECT_S
                )
                return None
            models = await line.client.models.list(timeout=CONNECT_S)
            return _among(line, sorted(str(item.id) for item in models.data))
        except openai.BadRequestError:
            line.proved = endpoint.kind == "azure"
            return None
        except openai.APIStatusError as error:
            decided = (401, 403, 404) if endpoint.kind == "azure" else (401,)
            if error.status_code in decided:
                return refused_by(endpoint, error.status_code, type(error).__name__, "")
            return None  # it is there; a key may be one that reads no list
        except openai.APIConnectionError as error:
            cause = error.__cause__
            if type(cause).__name__ not in ("ConnectError", "ConnectTimeout"):
                return None
            if attempt + 1 == _TRIES:
                return UserError(
                    f"nobody answers at {endpoint.base_url} ({cause})",
                    where="labels.judge.endpoints",
                    cure="see that the server runs and base_url is right, or leave it out",
                )
        except (openai.OpenAIError, AttributeError, TypeError, ValueError):
            return None  # a server with no list of models
        await asyncio.sleep(_PAUSE_S)
    return None


def _among(line: Line, models: Sequence[str]) -> UserError | None:
    line.proved = line.model in models
    if line.proved or not models:
        return None
    more = ", ..." if len(models) > _SHOWN else ""
    return UserError(
        f"{line.endpoint.base_url} has no model {line.model!r}",
        where="labels.judge.endpoints",
        cure="say what it calls the model (endpoints.model); it has "
        + ", ".join(models[:_SHOWN]) + more,
    )  # fmt: skip
