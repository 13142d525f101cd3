"""What labels and the rest of a configuration say about each other (see ``config.across``)."""

from __future__ import annotations

from collections.abc import Iterator

from vlprm.config.across import Found, at, table


def problems(data: object) -> Iterator[Found]:
    """Everything that does not go together."""
    yield from _soft(data)
    yield from _continued(data)


def _soft(data: object) -> Iterator[Found]:
    """Values stand at the answers of turns alone, and only this run's conversations have them."""
    if at(data, "labels", "examples", "soft") is not True:
        return
    if at(data, "labels", "examples", "published"):
        what = "true, and the conversations are given by labels.examples.published"
        yield ("labels", "examples", "soft"), what, "say soft: false, or build the conversations"
    for name, recipe in table(data, "training").items():
        if at(recipe, "label_positions") == "token_scan":
            what = "token_scan, and labels.examples.soft is true: signs of the text have no value"
            yield ("training", name, "label_positions"), what, "say assistant_turns"


def _continued(data: object) -> Iterator[Found]:
    """A continuation is part of a rollout."""
    most, policy = at(data, "labels", "estimates", "max_tokens"), at(data, "labels", "policy")
    whole = at(table(data, "policies").get(str(policy)), "sampling", "max_tokens")
    if isinstance(most, int) and isinstance(whole, int) and most > whole:
        what = f"{most}, and a rollout of policies.{policy} has at most {whole} tokens"
        yield ("labels", "estimates", "max_tokens"), what, "lower it, or leave it out"
