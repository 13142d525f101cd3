"""A rehearsal's engines: the same answers, and once a full batch."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vlprm.engines.rehearsed import FullPolicy, FullScorer
from vlprm.io.meter import metered
from vlprm.protocols import Completion, GenerationRequest, ScoreRequest, StepLogits
from vlprm.records import Sampling

SAMPLING = Sampling(temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0, max_tokens=99)
CALL = 0.2


class Policy:
    """A call takes as long however many it draws."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[GenerationRequest], Sampling]] = []

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        self.calls.append((list(requests), sampling))
        time.sleep(CALL)
        return [
            tuple(Completion(str(seed), "stop", None, 5, 7) for seed in request.seeds)
            for request in requests
        ]


def length(request: ScoreRequest) -> int:
    return len(request.question) + sum(map(len, request.steps))


class Scorer:
    """As many tokens as characters."""

    def __init__(self) -> None:
        self.calls: list[list[ScoreRequest]] = []

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        self.calls.append(list(requests))
        return [(StepLogits(1.0, 0.0, length(item)),) for item in requests]


def test_a_policy_is_filled_once() -> None:
    inner = Policy()
    policy = FullPolicy(inner, 16)
    request = GenerationRequest("q", (), "", (1, 2))
    with metered(on_cards=False) as running:
        answers = policy.generate([request], SAMPLING)
        policy.generate([request], SAMPLING)
        cost = running.cost()
    assert [[c.text for c in answer] for answer in answers] == [["1", "2"]]
    first, full, second = inner.calls
    assert first == second == ([request], SAMPLING)
    seeds = [item.seeds for item in full[0]]
    assert sum(map(len, seeds)) == 16
    assert len({seed for item in seeds for seed in item} | {1, 2}) > 2
    assert full[1].max_tokens == 7, "no stray is waited for"
    # two calls of two draws, of which a full batch takes 2 of 16
    assert 0.02 < cost.work_seconds < 1.5 * CALL


def test_a_policy_that_is_full_is_not_asked_again() -> None:
    inner = Policy()
    FullPolicy(inner, 2).generate([GenerationRequest("q", (), "", (1, 2))], SAMPLING)
    assert len(inner.calls) == 1


def test_a_scorer_reads_the_longest_candidate_until_it_is_full() -> None:
    inner = Scorer()
    scorer = FullScorer(inner, 1000)
    long = ScoreRequest("l", "", (), "Which?", ("one " * 20, "two"))
    short = ScoreRequest("s", "", (), "Which?", ("one",))
    assert [len(found) for found in scorer.score([short, long])] == [1, 1]
    scorer.score([short])
    given, full, again = inner.calls
    assert (given, again) == ([short, long], [short])
    assert len({(item.question, item.steps) for item in full}) == len(full), (
        "none is answered from another's"
    )
    assert len({(len(item.question), *map(len, item.steps)) for item in full}) == 1, "one shape"
    assert sum(map(length, full)) >= 1000
    questions = [item.question for item in full]
    assert max(map(questions.count, questions)) == 2, "as many a question as there were"
