"""A verification as a page of text: the answer first, then where a difference starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vlprm.io.verify import DECLARED, Origin, Verification
from vlprm.provenance import RunManifest

SHOWN = 12


def page(
    found: Verification,
    ours: RunManifest,
    expected: RunManifest,
    classes: list[str],
    *,
    full: bool,
) -> str:
    """The report. ``full`` lists every artefact, otherwise only those that are not the same."""
    lines = [f"run        {ours.run}", f"platform   {ours.platform}"]
    if expected.platform != ours.platform:
        lines.append(f"NO EXPECTED RUN of this platform, only for {', '.join(classes)}")
        lines.append(f"           compared all the same with {expected.platform}")
    lines += _processors(ours, expected)
    count = Counter(item.outcome for item in found.artefacts)
    told = [f"{count[name]} {name}" for name in ("same", "differs", "missing", "extra")]
    lines += ["artefacts  " + ", ".join(told), ""]
    shown = [item for item in found.artefacts if full or item.outcome != "same"]
    lines += [
        f"{item.outcome:<8} {item.stage:<13} {item.path}"
        for item in (shown if full else shown[:SHOWN])
    ]
    if len(shown) > SHOWN and not full:
        lines.append(f"... and {len(shown) - SHOWN} more")
    lines += [""] if shown else []
    if found.first:
        lines.append("A difference starts in:")
        lines += _origins(found.first)
        if found.later:
            lines.append(f"  and {found.later} stages after them differ because their inputs do")
    lines += _stated(found)
    lines.append("same" if found.same else "NOT THE SAME")
    return "\n".join(lines) + "\n"


def _processors(ours: RunManifest, expected: RunManifest) -> Iterator[str]:
    """Hardware of one class may still differ: say so."""
    for name, platform in sorted(ours.platforms.items()):
        other = expected.platforms.get(name)
        if other and other.processor != platform.processor:
            yield f"processor  {platform.processor}; the expected run had {other.processor}"


def _origins(first: tuple[Origin, ...]) -> Iterator[str]:
    for origin in first[:SHOWN]:
        more = f" and {len(origin.files) - 1} more" if len(origin.files) > 1 else ""
        yield f"  rule {origin.stage}: {origin.files[0]}{more}"
        if not origin.causes:
            yield "    nothing that is recorded differs: other hardware, or not deterministic"
        yield from (f"    {cause}" for cause in origin.causes[:SHOWN])
    if len(first) > SHOWN:
        yield f"  ... and {len(first) - SHOWN} more"


def _stated(found: Verification) -> Iterator[str]:
    """Same bytes, different stated facts: each fact once, with how many stages state it."""
    facts: dict[str, list[Origin]] = {}
    for origin in found.stated:
        for cause in origin.causes:
            fact = cause if cause.startswith((*DECLARED, "platform", "container")) else None
            key = fact or cause.split(":", 1)[0].split(" ", 1)[0]
            facts.setdefault(key, []).append(origin)
    if facts:
        yield "The expected bytes, made otherwise:"
    for fact, origins in list(facts.items())[:SHOWN]:
        rules = ", ".join(sorted({origin.stage for origin in origins}))
        yield f"  {fact}: {len(origins)} stages ({rules}), first {origins[0].record}"
