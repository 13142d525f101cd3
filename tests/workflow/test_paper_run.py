"""The paper's run resolves as a whole: every source, PRM, policy and benchmark has its jobs."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.workflow.runs import ROOT, Workdir


def test_the_whole_dag_of_the_papers_run(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    jobs = Workdir(tmp_path / "run").planned(config)
    made = {rule: " ".join(sorted(paths)) for rule, paths in jobs.items()}
    assert len(config["sources"]) == 6
    assert len(config["evaluation"]["policies"]) == 5
    assert len(config["evaluation"]["benchmarks"]) == 5
    for source in config["sources"]:
        for rule in ("prepare", "rollout", "estimate", "judge", "label"):
            assert f"/{source}/000." in made[rule], (rule, source)
    for prm in config["evaluation"]["prms"]:
        assert f"/{prm}/model.safetensors" in made["train"]
        for policy in config["evaluation"]["policies"]:
            for benchmark in config["evaluation"]["benchmarks"]:
                assert f"scores/{prm}/{policy}/{benchmark}/000." in made["score"]
            for search, benchmarks in config["evaluation"]["searches"].items():
                for benchmark in benchmarks:
                    path = f"searches/{search}/{prm}/{policy}/{benchmark}/000."
                    assert path in made["search"]
    for model in config["models"]:
        assert f"models/{model}/" in made["fetch_model"]
    for benchmark in config["evaluation"]["benchmarks"]:
        assert f"metrics/{benchmark}/" in made["metrics"]
    assert jobs["tables"]
    assert jobs["figures"]
