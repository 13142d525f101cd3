"""The policy engine on the shipped small model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.puzzles import GREEDY, SMALL, WARM, Bounds, questions, request
from vlprm.engines.hf_policy import HFPolicy
from vlprm.io.images import ImageStore
from vlprm.records import ImageRef, Sample

QUESTIONS, STORE = questions(12)


def policy(store: ImageStore = STORE, batch_tokens: int = 65536) -> HFPolicy:
    return HFPolicy(
        SMALL, store, pixels=Bounds(), dtype="float32", device="cpu", batch_tokens=batch_tokens
    )


@pytest.fixture(scope="module")
def engine() -> HFPolicy:
    return policy()


def right(samples: Sequence[Sample], texts: Sequence[str]) -> int:
    pairs = zip(samples, texts, strict=True)
    return sum(text.endswith(rf"\boxed{{{sample.answer}}}") for sample, text in pairs)


def test_greedy_solutions_are_right(engine: HFPolicy) -> None:
    found = engine.generate([request(s, (0,)) for s in QUESTIONS], GREEDY)
    assert right(QUESTIONS, [c.text for (c,) in found]) >= 10
    assert {c.finish_reason for (c,) in found} == {"stop"}


def test_a_continuation_truly_continues_its_prefix(engine: HFPolicy) -> None:
    ((whole,),) = engine.generate([request(QUESTIONS[0], (0,))], GREEDY)
    prefix = whole.text[: whole.text.index("\n\n") + 2]
    ((rest,),) = engine.generate([request(QUESTIONS[0], (0,), prefix)], GREEDY)
    assert prefix + rest.text == whole.text


def test_a_draw_depends_on_its_seed_alone(engine: HFPolicy) -> None:
    asked = [request(s, (3, 4, 5)) for s in QUESTIONS[:6]]
    together = engine.generate(asked, WARM)
    alone = policy(batch_tokens=1).generate([request(QUESTIONS[5], (4,))], WARM)
    assert alone[0][0].text == together[5][1].text
    assert len({c.text for found in together for c in found}) > 6


def test_a_stop_string_stays_in_the_text(engine: HFPolicy) -> None:
    asked = request(QUESTIONS[0], (0,))
    asked = type(asked)(asked.id, asked.messages, "", (0,), stop=("\n\n",))
    ((step,),) = engine.generate([asked], GREEDY)
    assert step.text.endswith("\n\n")
    assert step.stopped_by == "\n\n"


def test_the_token_limit_cuts(engine: HFPolicy) -> None:
    cut = engine.generate(
        [request(QUESTIONS[0], (0,))], GREEDY.model_copy(update={"max_tokens": 3})
    )
    assert cut[0][0].finish_reason == "length"
    assert cut[0][0].completion_tokens == 3


def test_a_missing_image_fails_its_own_request_only(engine: HFPolicy) -> None:
    lost = QUESTIONS[0].model_copy(
        update={"images": (ImageRef(sha256="0" * 64, width=84, height=84),)}
    )
    found = engine.generate([request(lost, (0, 1)), request(QUESTIONS[1], (0,))], GREEDY)
    assert [c.finish_reason for c in found[0]] == ["error", "error"]
    assert found[0][0].error
    assert found[1][0].finish_reason == "stop"
