"""Everything wrong in a configuration, told at once: key, what, cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.holes import Case, Reader, cases, hint_of
from tests.workflow.runs import ROOT, nano
from vlprm.config.checked import ConfigError, load_config
from vlprm.config.reader import read_config

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("cases_refused.json").read_text(encoding="utf-8")
)
EVERY = 29
"""One case in so many; the bench takes all. A prime, so that all kinds of cases are met."""


def changed(config: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    block = config
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    return config


def files(tmp_path: Path) -> Path:
    (tmp_path / "zero3.json").write_text('{"zero_optimization": {"stage": 3}}')
    (tmp_path / "broken.json").write_text("{stage: 2")
    return tmp_path


def said(config: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_config(config, "run.yaml", folder)
    return [(f"{item.key}: {item.what}", item.cure) for item in caught.value.problems]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_mistake(tmp_path: Path, case: dict[str, Any]) -> None:
    found = said(changed(nano(), case["path"], case["value"]), files(tmp_path))
    assert any(case["what"] in what and case["cure"] in cure for what, cure in found), found


@pytest.mark.parametrize("name", ["traind", "prm_system_v1", "policy_boxed_v1"])
@pytest.mark.parametrize("source", ["build", "published"])
def test_a_wrong_question_prompt_is_told_once(name: str, source: str) -> None:
    config = nano()
    training = None if source == "published" else "prm"
    config["prms"]["prm-small"] |= {
        "question_prompt": name, "source": source, "training": training,
    }  # fmt: skip
    if (source, name) == ("published", "policy_boxed_v1"):
        load_config(config, "run.yaml")
        return
    ((what, _),) = said(config, Path())
    assert what.count(f"'{name}'") == 1


def test_all_of_them_at_once(tmp_path: Path) -> None:
    """Of every block one, those across blocks beside those inside them."""
    config = nano()
    chosen = {str(case["path"][:2]): case for case in CASES if case["path"][0] != "sources"}
    for case in chosen.values():
        changed(config, case["path"], case["value"])
    found = said(config, files(tmp_path))
    for case in chosen.values():
        assert any(case["what"] in what for what, _ in found), case["name"]


def test_every_curve_that_nothing_makes_is_told_with_those_that_are_made() -> None:
    config = changed(nano(), ["evaluation", "ranking", "strategies"], ["majority", "llm_judge"])
    ((what, cure),) = said(config, Path())
    lost = ("weighted_vote", "min"), ("best_of_n_orm", ""), ("step_aggregation", "min")
    for strategy, way in lost:
        curve = f"{strategy}/{way}" if way else strategy
        assert f"'{curve}', and evaluation.ranking.strategies has no {strategy}" in what
    assert cure.endswith("curves that are made: greedy-2, majority, llm_judge")


@pytest.mark.parametrize("value", [3, None, "majority", [3], [["majority"]], [{}], {}, []])
@pytest.mark.parametrize(
    "path",
    [
        ["tables", "curves"],
        ["evaluation", "searches"],
        ["evaluation", "ranking"],
        ["evaluation", "ranking", "strategies"],
        ["evaluation", "ranking", "vote_weights"],
    ],
)
def test_curves_are_held_against_whatever_stands_there(path: list[str], value: Any) -> None:
    said(changed(nano(), path, value), Path())


def test_an_exponent_without_a_point_is_the_number_that_is_meant() -> None:
    config = changed(nano(), ["training", "prm", "learning_rate"], "1e-3")
    assert load_config(config, "run.yaml").training["prm"].learning_rate == 0.001


def test_what_a_reused_block_gets_wrong_is_told_once(tmp_path: Path) -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    file = tmp_path / "run.yaml"
    file.write_text(text.replace("shard_size: 1000", "shard_size: many"))
    with pytest.raises(ConfigError) as caught:
        load_config(read_config(file))
    (problem,) = caught.value.problems
    assert problem.key == "sources.vqav2.data.shard_size (and 5 more from this line)"


def test_two_searches_of_one_name_are_refused_with_both_lines(tmp_path: Path) -> None:
    text = (ROOT / "configs" / "mini.yaml").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("  greedy-8: {kind")]
    file = tmp_path / "run.yaml"
    file.write_text(text.replace(line, f"{line}\n{line}"))
    number = text.splitlines().index(line) + 1
    with pytest.raises(ConfigError) as caught:
        load_config(read_config(file))
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == ("searches.greedy-8", number + 1)
    assert problem.what == f"stands twice, in lines {number} and {number + 1}"


def test_without_a_folder_files_are_not_looked_for() -> None:
    config = changed(nano(), ["training", "prm", "deepspeed"], "configs/none.json")
    assert load_config(config, "run.yaml").training["prm"].deepspeed == "configs/none.json"


@pytest.mark.parametrize("name", ["config.yaml", "configs/mini.yaml"])
def test_wrong_files_are_refused_with_key_and_line(tmp_path: Path, name: str) -> None:
    reader = Reader(ROOT, tmp_path / "run", ROOT / name)
    assert not reader.says((ROOT / name).read_text(encoding="utf-8"))
    chosen = list(cases(ROOT / name))[::EVERY]
    assert len({case.kind for case in chosen}) > 10
    holes = {str(case): why for case in chosen if (why := reader.hole(case))}
    assert not holes


def test_the_cases_can_find_a_hole(tmp_path: Path) -> None:
    file = ROOT / "configs/mini.yaml"
    reader = Reader(ROOT, tmp_path / "run", file)
    text = file.read_text(encoding="utf-8")
    assert reader.hole(Case("nothing", "run", text, "run", (2,))) == "accepted"
    wrong = text.replace("seed: 20250930", "seed: many", 1)
    line = 1 + wrong.splitlines().index("seed: many")
    assert reader.hole(Case("text", "seed", wrong, "seed", (line,))) is None
    other = reader.hole(Case("text", "seed", wrong, "seed", (line + 1,)))
    assert f"line {line + 1} is not told" in str(other)
    assert "sead is not named" in str(reader.hole(Case("text", "seed", wrong, "sead", (line,))))


def test_every_key_is_known_to_the_schema() -> None:
    assert "float" in repr(hint_of(("training", "prm", "learning_rate")))
    assert "FileData" in repr(hint_of(("benchmarks", "mmmu", "data")))
