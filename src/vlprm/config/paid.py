"""What judges that cost money ask of the configuration: a price wherever there is a budget.

Read from the content as it stands, beside :mod:`vlprm.config.across`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vlprm.config.across import Found, at, table
from vlprm.config.reader import Loc


def problems(data: object) -> Iterator[Found]:
    """Judges behind an address whose calls cannot be priced though they should be."""
    prices = at(data, "prices")
    if prices is not None and not isinstance(prices, Mapping):
        return  # told where it stands
    panel = table(at(data, "labels", "panel"), "judges")
    judges: list[tuple[Loc, object]] = [(("labels", "judge"), at(data, "labels", "judge"))]
    judges += [(("labels", "panel", "judges", name), item) for name, item in panel.items()]
    for loc, judge in judges:
        model = at(judge, "model")
        if at(judge, "engine") != "api" or not isinstance(model, str) or model in (prices or {}):
            continue
        cure = (
            f"add prices: {{{model}: {{input: 1.10, output: 4.40, currency: USD}}}}, each for a"
            " million tokens; 0 for a server of your own"
        )
        if prices is not None:
            yield (*loc, "model"), f"{model!r} has no price in prices", cure
        elif at(judge, "budget") is not None:
            yield (*loc, "budget"), f"a budget, and {model!r} has no price", cure
