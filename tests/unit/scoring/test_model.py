"""A PRM as an object: the numbers of a run, one forward a question, clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.workflow.runs import ROOT
from vlprm import prompts
from vlprm.config.models import ModelConfig
from vlprm.config.placement import alone
from vlprm.engines import load_scorer
from vlprm.errors import UserError
from vlprm.io.images import ImageStore
from vlprm.protocols import ScoreRequest
from vlprm.scoring import VLPRM, Solution
from vlprm.scoring.model import PIXELS, system_text

PRM = ROOT / "models" / "mini" / "small"
STEPS = ("The shape is a star.", "Its colour is red.", r"So \boxed{red star}.")


@pytest.fixture(scope="module")
def model() -> VLPRM:
    return VLPRM.from_pretrained(PRM)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.linear_gradient("L").resize((84, 84)).convert("RGB")


def test_the_numbers_of_the_stage(model: VLPRM, picture: Image.Image) -> None:
    store = ImageStore()
    request = ScoreRequest(
        "a", prompts.render("prm_system_v1"), (store.put(picture),), "Which?", STEPS
    )
    config = ModelConfig.model_validate(
        {"source": "published", "family": "qwen2.5-vl", "path": str(PRM), "dtype": "float32",
         "engines": {"scorer": "transformers"}, "batch_tokens": 65536,
         "pixels": {"min": 784, "max": 1003520}}
    )  # fmt: skip
    (expected,) = load_scorer(config, PRM, store, alone(config)).score([request])
    (found,) = model.score_all([Solution((picture,), "Which?", STEPS)])
    for one, other in zip(found.steps, expected, strict=True):
        assert one.logit_plus == pytest.approx(other.plus, abs=1e-5)
        assert one.logit_minus == pytest.approx(other.minus, abs=1e-5)
    assert [item.prompt_tokens for item in found.steps] == [item.prompt_tokens for item in expected]


def test_one_solution(model: VLPRM, picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    plus = model.score(picture, "Which?", STEPS)
    assert len(plus) == 3
    assert all(0 < value < 1 for value in plus)
    for image in (tmp_path / "a.png", str(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes()):
        assert model.score(image, "Which?", STEPS) == plus
    assert model.score([picture], "Which?", STEPS) == plus
    assert len(model.score([picture, picture], "Which?", STEPS)) == 3


def test_values(model: VLPRM, picture: Image.Image) -> None:
    (found,) = model.score_all([Solution((picture,), "Which?", STEPS)])
    assert found.value() == min(found.plus)
    assert found.value("last") == found.plus[-1]
    assert found.whole.step_index == -1


def test_order_and_neighbours_do_not_matter(model: VLPRM, picture: Image.Image) -> None:
    asked = [Solution((picture,), f"Which {k}?", STEPS[: k + 1]) for k in range(3)]
    there, back = model.score_all(asked), model.score_all(asked[::-1])[::-1]
    for one, other in zip(there, back, strict=True):
        assert one.plus == pytest.approx(other.plus, abs=1e-5)


@pytest.mark.parametrize("steps", [(), ("a", " ")])
def test_no_steps(model: VLPRM, picture: Image.Image, steps: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="no steps"):
        model.score(picture, "Which?", steps)


@pytest.mark.parametrize("image", [b"no picture", "absent.png"])
def test_a_picture_that_cannot_be_read(model: VLPRM, image: bytes | str) -> None:
    with pytest.raises(UserError, match="solution 0"):
        model.score(image, "Which?", STEPS)


def test_folders_that_hold_no_prm(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        VLPRM.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gemma3"}')
    with pytest.raises(UserError, match=r"model_type 'gemma3' cannot score"):
        VLPRM.from_pretrained(tmp_path)


def test_the_system_turn() -> None:
    assert system_text(None) == prompts.render("prm_system_v1")
    assert system_text("Judge each step.") == "Judge each step."
    with pytest.raises(UserError):
        system_text("prm_system_v9")
    assert PIXELS == {"min": 200_704, "max": 1_003_520}
