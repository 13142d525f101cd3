"""What the blocks of labels ask of each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.runs import nano
from vlprm.config.checked import ConfigError, load_config
from vlprm.config.slices import examples, label


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
]


@pytest.mark.parametrize(("config", "what"), REFUSED, ids=[what for _, what in REFUSED])
def test_refused(config: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_config(config, "x")


def test_what_is_not_asked_for_is_in_no_slice() -> None:
    """Results made before these keys were there stay valid."""
    config = load_config(nano(), "x")
    shards = dict.fromkeys(config.data, 1)
    told = examples.of(config, shards).model_dump_json() + label.of(config).model_dump_json()
    for key in ("panel", "keep", "subset", "soft", "caps", "weights", "leaks"):
        assert f'"{key}"' not in told
    asked = load_config(changed(panel=PANEL), "x")
    assert '"panel":["second"]' in label.of(asked).model_dump_json()
    compared = load_config(changed(panel=PANEL | {"keep": "all"}), "x")
    assert label.of(compared) == label.of(config)  # a comparison changes no label
