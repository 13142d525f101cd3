"""Published artefacts enter at a hand-over: Snakemake plans no job that would build them."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.runs import Workdir, nano

BUILDERS = {"prepare", "rollout", "estimate", "judge"}


def test_a_source_with_published_rollouts_and_verdicts(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    files = {"rollouts": "r.jsonl", "requests": "q.jsonl", "results": "a.json"}
    for name in files.values():
        (workdir.path / name).write_text("")
    config = nano()
    config["sources"]["vqav2"] = {
        "data": {"kind": "vqav2", "path": "absent.jsonl", "n": 8, "shard_size": 8},
        "rollouts": 6,
        "published": files,
    }
    jobs = workdir.planned(config)
    made = {path for rule in BUILDERS for path in jobs[rule]}
    assert not any("/vqav2/" in path for path in made)
    assert any("rollouts/small/vqav2/000" in path for path in jobs["import_rollouts"])
    assert any("/vqav2/000" in path for path in jobs["label"])


def test_published_training_conversations(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path / "run")
    (workdir.path / "given").mkdir()
    for name in ("examples", "images"):
        (workdir.path / "given" / f"{name}.parquet").write_text("")
    config = nano()
    config["labels"]["examples"]["published"] = "given"
    for prm in config["prms"].values():
        prm["question_prompt"] = "policy_steps_v1"
    jobs = workdir.planned(config)
    assert "examples" not in jobs
    assert jobs["train"]


def test_published_weights_train_nothing(tmp_path: Path) -> None:
    config = nano()
    for prm in config["prms"].values():
        prm |= {"source": "published", "training": None, "question_prompt": "policy"}
    assert not {"train", "examples"} & set(Workdir(tmp_path / "run").planned(config))


def test_built_base_models_are_trained_first(tmp_path: Path) -> None:
    config = nano()
    config["models"]["small"] |= {"source": "build", "path": None}
    assert any("base/small" in path for path in Workdir(tmp_path / "run").planned(config)["base"])


def test_a_missing_data_set_is_planned_as_absent(tmp_path: Path) -> None:
    config = nano()
    config["benchmarks"]["matrix"]["data"] = {
        "kind": "mmmu", "path": "nowhere", "origin": "the Hub", "n": 5, "shard_size": 5,
    }  # fmt: skip
    assert "absent" in Workdir(tmp_path / "run").planned(config)
