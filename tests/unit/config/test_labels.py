"""What the blocks of labels ask of each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.runs import nano
from vlprm.config.checked import ConfigError, load_config
from vlprm.config.slices import estimate, examples, label


def changed(**labels: Any) -> dict[str, Any]:
    config = nano()
    config["labels"] |= labels
    return config


def soft(rule: str, **estimates: Any) -> dict[str, Any]:
    config = nano()["labels"]
    return changed(
        examples=config["examples"] | {"soft": True},
        rule=config["rule"] | {"name": rule},
        estimates=config["estimates"] | estimates,
    )


def drawn(**estimates: Any) -> dict[str, Any]:
    return changed(estimates=nano()["labels"]["estimates"] | estimates)


JUDGE = nano()["labels"]["judge"]
PANEL = {"judges": {"second": JUDGE}, "keep": "usable"}
REFUSED = [
    (changed(panel={"judges": {JUDGE["name"]: JUDGE}}), "give it another"),
    (changed(panel={"judges": {}}), "labels.panel.judges"),
    (
        changed(panel=PANEL, rule=nano()["labels"]["rule"] | {"name": "monte_carlo"}),
        "reads no verdict",
    ),
    (soft("consensus"), "does not label by estimates alone"),
    (soft("monte_carlo", draw="until_decided"), "estimates.draw is not all"),
    (soft("monte_carlo", draw="sequential", error=0.05), "estimates.draw is not all"),
    (drawn(draw="sequential"), "no error is given"),
    (drawn(draw="sequential", error=0.0), "labels.estimates.error"),
    (drawn(draw="sequential", error=0.5), "labels.estimates.error"),
    (drawn(draw="until_decided", error=0.05), "error is given, and draw is until_decided"),
    (drawn(draw="sequential", error=0.05, continuations=33), "takes at most 32"),
    (soft("monte_carlo", steps="bisection"), "estimates.steps is not all"),
    (drawn(steps="bisection"), "the rule consensus reads every step"),
    (drawn(steps="halving"), "labels.estimates.steps"),
    (drawn(doubtful_first=True), "doubtful_first is true, and draw is all"),
    (drawn(max_tokens=0), "labels.estimates.max_tokens"),
    (drawn(max_tokens=10**6), "1000000, and a rollout of policies.small has at most"),
]


@pytest.mark.parametrize(("config", "what"), REFUSED, ids=[what for _, what in REFUSED])
def test_refused(config: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_config(config, "x")


def test_labels_depend_on_how_estimates_were_drawn_only_where_their_side_does() -> None:
    plain, tested = (
        label.of(load_config(drawn(**keys), "x"))
        for keys in ({"draw": "until_decided"}, {"draw": "sequential", "error": 0.05})
    )
    assert plain == label.of(load_config(nano(), "x"))
    assert tested.estimates is not None
    assert tested.estimates.error == 0.05


def test_continuations_have_a_limit_of_their_own() -> None:
    config = load_config(drawn(max_tokens=7), "x")
    whole = config.policies["small"].sampling
    assert estimate.of(config, "small").sampling == whole.model_copy(update={"max_tokens": 7})
    assert estimate.of(load_config(nano(), "x"), "small").sampling == whole


def test_what_is_not_asked_for_is_in_no_slice() -> None:
    """Results made before these keys were there stay valid."""
    config = load_config(nano(), "x")
    shards = dict.fromkeys(config.data, 1)
    told = examples.of(config, shards).model_dump_json() + label.of(config).model_dump_json()
    for key in (
        "panel",
        "keep",
        "subset",
        "soft",
        "caps",
        "weights",
        "leaks",
        "error",
        "steps",
        "doubtful_first",
    ):
        assert f'"{key}"' not in told
    asked = load_config(changed(panel=PANEL), "x")
    assert '"panel":["second"]' in label.of(asked).model_dump_json()
    compared = load_config(changed(panel=PANEL | {"keep": "all"}), "x")
    assert label.of(compared) == label.of(config)  # a comparison changes no label
