"""Files that the configuration names, keys, the Hub's token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.preflight.machines import machine_of, plan_of
from tests.workflow.runs import nano
from vlprm.config.reader import read_config
from vlprm.preflight.downloads import downloads, plan_lines
from vlprm.preflight.finding import report
from vlprm.preflight.inputs import (
    check_budgets,
    check_cache,
    check_files,
    check_hub_token,
    check_keys,
    check_named,
)
from vlprm.preflight.needs import Needs

HUB = {"repo": "owner/name", "revision": "a" * 40, "gb": 1.5, "gated": True}
JUDGE = {
    "name": "chat", "engine": "api", "prompt": "judge_stepwise_v1", "model": "m",
    "base_url": "http://127.0.0.1", "api_key_env": "JUDGE_KEY", "max_tokens": 8, "concurrency": 1,
}  # fmt: skip


def with_hub() -> dict[str, Any]:
    config = nano()
    config["models"]["large"] |= {"path": None, "hub": HUB}
    return config


def test_files_that_are_not_there_are_named_with_their_key(tmp_path: Path) -> None:
    config = nano()
    config["benchmarks"]["matrix"]["data"] = {
        "kind": "mmmu", "path": "data/mmmu", "origin": "the Hub", "n": 5, "shard_size": 5,
    }  # fmt: skip
    (found,) = check_files(plan_of(config), tmp_path)
    assert found.state == "failure"
    assert "data/mmmu (benchmarks.matrix)" in found.what
    assert "models/mini/small/model.safetensors (models.small)" in found.what
    assert "the Hub" in str(found.cure)


def test_the_judges_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = nano()
    config["labels"]["judge"] = JUDGE
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    keys = Needs(plan_of(config), tmp_path).keys()
    (found,) = check_keys(keys)
    assert (found.state, found.what) == ("failure", "not set: JUDGE_KEY (judge chat)")
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    assert "secret" not in report(check_keys(keys))[0]
    assert not Needs(plan_of(), tmp_path).keys()


def test_a_judge_that_costs_money_needs_a_budget(tmp_path: Path) -> None:
    config = nano()
    endpoints = [
        {"base_url": f"http://{name}/v1", "key_env": f"{name.upper()}_KEY"} for name in ("a", "b")
    ]
    config["labels"]["judge"] = JUDGE | {"endpoints": endpoints}
    assert not Needs(plan_of(config), tmp_path).unpaid()
    assert set(Needs(plan_of(config), tmp_path).keys()) == {"A_KEY", "B_KEY"}
    config["prices"] = {"m": {"input": 1.0, "output": 2.0, "currency": "USD"}}
    (found,) = check_budgets(Needs(plan_of(config), tmp_path).unpaid())
    assert (found.state, found.what) == (
        "failure", "calls of chat cost money, and no budget is given",
    )  # fmt: skip
    config["labels"]["judge"]["budget"] = "unlimited"
    assert not list(check_budgets(Needs(plan_of(config), tmp_path).unpaid()))


def test_the_keys_of_a_panel(tmp_path: Path) -> None:
    config = nano()
    beside = JUDGE | {"name": "beside", "api_key_env": "OTHER_KEY"}
    config["labels"]["panel"] = {"judges": {"beside": beside}}
    plan = plan_of(config)
    assert Needs(plan, tmp_path).keys() == {"OTHER_KEY": "judge beside"}
    for path in plan.tables("panel", "beside", "small", "matrix-train"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert not Needs(plan, tmp_path).keys()


def test_no_key_where_no_judge_is_asked(tmp_path: Path) -> None:
    config = nano()
    config["labels"]["judge"] = JUDGE
    config["labels"]["rule"]["name"] = "monte_carlo"
    config["evaluation"]["step_truth"] = False
    assert not Needs(plan_of(config), tmp_path).keys()
    config["labels"]["judge"] = None
    assert not Needs(plan_of(config), tmp_path).keys()


def test_no_key_for_verdicts_that_are_there(tmp_path: Path) -> None:
    config = nano()
    config["labels"]["judge"] = JUDGE
    plan = plan_of(config)
    for policy, name in (("small", "matrix-train"), *((p, b) for p in ("small", "large")
                          for b in ("matrix", "matrix-unseen"))):  # fmt: skip
        for path in plan.tables("verdicts", policy, name):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("")
    assert not Needs(plan, tmp_path).keys()


def test_the_hubs_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    pending = downloads(plan_of(with_hub()), machine_of(tmp_path))
    (found,) = check_hub_token(pending)
    assert found.state == "failure"
    assert "HF_TOKEN is not set, and large" in found.what
    (tmp_path / "token").write_text("hf_secret\n")
    (found,) = check_hub_token(pending)
    assert found.state == "ok"
    assert "secret" not in found.what


def test_the_plan_of_downloads(tmp_path: Path) -> None:
    plan, machine = plan_of(with_hub()), machine_of(tmp_path)
    folder = tmp_path / "resources" / "models" / "large"
    assert downloads(plan, machine)[0].state == "missing"
    folder.mkdir(parents=True)
    (folder / "part").write_bytes(b"0" * 1000)
    assert downloads(plan, machine)[0].state == "partly"
    assert plan_lines(downloads(plan, machine))[-1] == "1 of 1 to fetch, about 1.5 GB"
    listing = '{"repo": "owner/name", "revision": "%s", "files": {"part": "x"}}'
    (folder / "fetch.json").write_text(listing % ("b" * 40))
    assert downloads(plan, machine)[0].state == "partly", "another revision"
    (folder / "fetch.json").write_text(listing % ("a" * 40))
    assert downloads(plan, machine)[0].state == "there"
    (folder / "part").unlink()
    assert downloads(plan, machine)[0].state == "partly", "a file went missing"


def test_the_cache_says_what_is_still_to_come(tmp_path: Path) -> None:
    (found,) = check_cache(downloads(plan_of(with_hub()), machine_of(tmp_path)))
    assert found.state == "warning"
    assert found.what == "1 of 1 still to fetch, about 1.5 GB: large"


def test_a_better_estimate_changes_no_slice() -> None:
    hub = plan_of(with_hub()).config.models["large"].hub
    assert hub is not None
    assert set(hub.model_dump()) == {"repo", "revision", "repo_type"}


def test_gpus_only_for_jobs_still_to_run(tmp_path: Path) -> None:
    config = nano()
    for model in config["models"].values():
        model["gpus"] = 1
    plan = plan_of(config)
    assert Needs(plan, tmp_path).gpus() == 2, "a search holds policy and PRM"
    done = {job.output for job in Needs(plan, tmp_path).gpu_jobs()}
    for path in done:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert Needs(plan, tmp_path).gpus() == 0


def test_room_for_results_shrinks_as_they_come(tmp_path: Path) -> None:
    plan = plan_of()
    empty = Needs(plan, tmp_path).results_gb()
    assert 0.0005 < empty < 0.1
    for path in plan.tables("samples", "matrix"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert 0 < Needs(plan, tmp_path).results_gb() < empty


def test_a_file_is_told_with_its_line_and_whatever_else_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("benchmarks:\n  b:\n    data:\n      path: data/b.jsonl\nsead: 1\n")
    (found,) = check_named(read_config(file), tmp_path)
    assert found.what == f"1 of 1 not there: {file}:4: data/b.jsonl (benchmarks.b)"
