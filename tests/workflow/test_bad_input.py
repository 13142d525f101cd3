"""Bad configurations and inputs: one clear message, exit status, nothing half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workflow.runs import Workdir, nano


def refused(tmp_path: Path, config: dict[str, Any]) -> str:
    done = Workdir(tmp_path / "run").run(config, "--dry-run", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    return done.stdout


def test_misspelt_key_names_its_path_and_the_right_spelling(tmp_path: Path) -> None:
    config = nano()
    sampling = config["policies"]["small"]["sampling"]
    sampling["temprature"] = sampling.pop("temperature")
    printed = refused(tmp_path, config)
    assert "policies.small.sampling.temprature: unknown key; did you mean 'temperature'?" in printed
    assert "policies.small.sampling.temperature: missing" in printed


def test_wrong_type_is_named(tmp_path: Path) -> None:
    config = nano()
    config["seed"] = "tomorrow"
    assert "seed: Input should be a valid integer" in refused(tmp_path, config)


def test_a_name_defined_nowhere(tmp_path: Path) -> None:
    config = nano()
    config["evaluation"]["prms"] = ["nobody"]
    assert "evaluation.prms: 'nobody' is not one of" in refused(tmp_path, config)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    config = nano()
    config["models"]["small"]["path"] = "models/mini/absent"
    assert "models/mini/absent/model.safetensors" in refused(tmp_path, config)


@pytest.mark.parametrize("rows", ["not json\n", '{"question": "q"\n'])
def test_malformed_line_is_named(tmp_path: Path, rows: str) -> None:
    from vlprm.errors import UserError
    from vlprm.importing import read_jsonl

    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "fine"}\n' + rows)
    with pytest.raises(UserError, match=r"rows\.jsonl:2: malformed JSON line"):
        list(read_jsonl(file))
