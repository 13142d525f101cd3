"""Published rollouts, judge requests and judge results as records.

The published rows carry no rollout id. So rollouts are numbered within their question in the
order of the file. Judge requests, whose ids match nothing, are joined to them by the solution text,
once. Whatever cannot be used is listed with its reason.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlprm.answers.extract import extract_answer
from vlprm.records import Rollout, Sample, Section, Step, StepEstimate
from vlprm.solutions.rollouts import rollout_id, sample_of
from vlprm.solutions.steps import StepParseError, split
from vlprm.sources import SOURCES
from vlprm.sources.unusable import Unusable

_QUESTION = re.compile(r"<question>\s*(.*?)\s*</question>", re.DOTALL)


@dataclass(slots=True)
class PublishedRollouts:
    """A rollout file, read as a stream, and what a join must know about all of it.

    ``kind`` names the corpus, ``where`` the file, ``policy`` who is said to have drawn. Solution
    and prompt texts are kept as digests.
    """

    dataset: str
    kind: str
    where: str
    policy: str
    samples: dict[str, Sample] = field(default_factory=dict)
    """By id, without images: the rows name files of another machine (see ``Judged``)."""
    sections: dict[str, tuple[Section, ...]] = field(default_factory=dict)
    """Rollout id to the section of each step, in the order of the file."""
    unusable: list[Unusable] = field(default_factory=list)
    by_solution: dict[bytes, list[tuple[str, bytes]]] = field(default_factory=dict)
    """Solution text to the ids of its rollouts and the prompts that asked for them."""

    def read(
        self, rows: Iterable[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[Rollout, list[StepEstimate]]]:
        """Rollouts and their estimates from rows ``(line, object)``; what is unusable is listed.

        Token counts and seeds were not published and are 0. Failed continuations were published
        as wrong ones, so ``n_failed`` is 0. A rollout's number counts every row of its question,
        usable or not, so an id never depends on a parser.
        """
        counts: Counter[str] = Counter()
        seen: dict[bytes, int] = {}
        for line, row in rows:
            try:
                sample = _sample(row, self.dataset, self.kind)
                number = counts[sample.id]
                counts[sample.id] += 1
                name = rollout_id(sample.id, self.policy, number)
                yield _parsed(self, sample, name, row, (line, seen))
            except _UnusableError as error:
                self.unusable.append(Unusable(f"{self.where}:{line}", str(error)))


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's raw reply to one rollout; ``labels.verdicts`` makes a verdict of it."""

    rollout_id: str
    judge: str
    raw: str


@dataclass(slots=True)
class Judged:
    """What the judge was asked about which rollouts, and its replies as a stream."""

    published: PublishedRollouts
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Request id to ``(rollout id, judge)``."""
    with_image: set[str] = field(default_factory=set)
    """Ids of the samples whose image a request carried."""
    unusable: list[Unusable] = field(default_factory=list)

    def read(self, results: Iterable[Mapping[str, Any]]) -> Iterator[Reply]:
        """Replies in the order of the results.

        Listed as unusable: a result without a request, a second result, a request without a
        result, and a rollout without a request.
        """
        answered: set[str] = set()
        for result in results:
            name = str(result.get("custom_id"))
            raw = result.get("verification_response")
            if name not in self.asked:
                self.unusable.append(Unusable(f"result {name}", "no usable request with this id"))
            elif name in answered:
                self.unusable.append(Unusable(f"result {name}", "a second result for this id"))
            else:
                answered.add(name)
                rollout_id, judge = self.asked[name]
                yield Reply(rollout_id, judge, raw if isinstance(raw, str) else "")
        for name in self.asked:
            if name not in answered:
                self.unusable.append(Unusable(f"request {name}", "no result"))
        judged = {rollout_id for rollout_id, _ in self.asked.values()}
        for rollout_id in self.published.sections:
            if rollout_id not in judged:
                self.unusable.append(Unusable(rollout_id, "never sent to the judge"))


class _UnusableError(ValueError):
    pass


def read_requests(
    requests: Iterable[Mapping[str, Any]],
    published: PublishedRollouts,
    keep_image: Callable[[str, bytes], str | None],
) -> Judged:
    """Join judge requests to rollouts. ``keep_image`` gets each sample's id and encoded image
    once. It returns the reason why an image cannot be used, or None.

    Listed as unusable: a request without a rollout, one that fits several rollouts, a second
    request for a rollout or under an id already used, one whose image is refused.
    """
    found = Judged(published)
    taken: dict[str, str] = {}
    for request in requests:
        name = str(request.get("custom_id"))
        try:
            text, image = _content(request)
            rollout_id = _rollout_of(text, published)
            if name in found.asked:
                raise _UnusableError("a second request under this id")
            if rollout_id in taken:
                raise _UnusableError(f"{rollout_id} was sent before, as {taken[rollout_id]}")
            sample_id = sample_of(rollout_id)
            if image is not None and sample_id not in found.with_image:
                if refused := keep_image(sample_id, image):
                    raise _UnusableError(f"image of {sample_id}: {refused}")
                found.with_image.add(sample_id)
        except _UnusableError as error:
            found.unusable.append(Unusable(f"request {name}", str(error)))
            continue
        taken[rollout_id] = name
        found.asked[name] = (rollout_id, sys.intern(str(request["body"].get("model"))))
    return found


def _sample(row: Mapping[str, Any], dataset: str, kind: str) -> Sample:
    uid, prompt, answer = (row.get(name) for name in ("uid", "question", "answer"))
    if not all(isinstance(value, str) and value.strip() for value in (uid, prompt, answer)):
        raise _UnusableError("no 'uid', 'question' or 'answer'")
    asked = _QUESTION.search(str(prompt))
    if asked is None or not asked[1]:
        raise _UnusableError("the prompt holds no <question>")
    return Sample(
        id=f"{dataset}/{uid}",
        question=asked[1],
        images=(),
        answer=str(answer).strip(),
        answer_type=SOURCES[kind].answer_type_of(str(answer).strip()),
    )


def _parsed(
    found: PublishedRollouts,
    sample: Sample,
    rollout_id: str,
    row: Mapping[str, Any],
    history: tuple[int, dict[bytes, int]],
) -> tuple[Rollout, list[StepEstimate]]:
    """Parse one row completely, then keep all of it or nothing."""
    if found.samples.get(sample.id, sample) != sample:
        raise _UnusableError(f"{sample.id}: question or answer differ from an earlier row")
    text = row.get("response")
    if not isinstance(text, str):
        raise _UnusableError("no 'response'")
    line, seen = history
    written = repr((sample.id, text, row.get("steps_with_score")))
    earlier = seen.setdefault(_digest(written), line)
    if earlier != line:
        raise _UnusableError(f"repeats line {earlier}")
    try:
        steps = split(text, "tagged")
    except StepParseError as error:
        raise _UnusableError(f"solution: {error.reason}") from error
    estimates = _estimates(rollout_id, steps, row.get("steps_with_score"))
    found.samples.setdefault(sample.id, sample)
    found.sections[rollout_id] = tuple(step.section for step in steps)
    asked = _digest(str(row["question"]).strip())
    found.by_solution.setdefault(_digest(text.strip()), []).append((rollout_id, asked))
    rollout = Rollout(
        id=rollout_id,
        sample_id=sample.id,
        text=text,
        steps=steps,
        answer=extract_answer(text, sample),
        finish_reason="stop",
        prompt_tokens=0,
        completion_tokens=0,
        seed=0,
    )
    return rollout, estimates


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _estimates(rollout_id: str, steps: Sequence[Step], scores: object) -> list[StepEstimate]:
    if not isinstance(scores, list) or not all(isinstance(item, Mapping) for item in scores):
        raise _UnusableError("no 'steps_with_score'")
    if [str(item.get("step")).strip() for item in scores] != [step.text for step in steps]:
        raise _UnusableError("steps of 'steps_with_score' are not those of the solution")
    found = []
    for step, item in zip(steps, scores, strict=True):
        correct, total = item.get("num_mc_correct"), item.get("num_mc_total")
        if type(correct) is not int or type(total) is not int or not 0 <= correct <= total != 0:
            raise _UnusableError(f"step {step.index}: {correct!r} of {total!r} continuations right")
        score = item.get("score")
        if not isinstance(score, int | float) or abs(score - correct / total) > 1e-6:
            raise _UnusableError(f"step {step.index}: score {score!r} is not {correct}/{total}")
        found.append(
            StepEstimate(
                rollout_id=rollout_id,
                step_index=step.index,
                n_correct=correct,
                n_graded=total,
                n_failed=0,
            )
        )
    return found


def _content(request: Mapping[str, Any]) -> tuple[str, bytes | None]:
    """Text and decoded image of a request's one user message."""
    try:
        parts = request["body"]["messages"][0]["content"]
        text = next(str(part["text"]) for part in parts if part["type"] == "text")
        urls = [str(p["image_url"]["url"]) for p in parts if p["type"] == "image_url"]
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        raise _UnusableError("not a chat request with text and image") from error
    if not urls:
        return text, None
    try:
        return text, base64.b64decode(urls[0].partition("base64,")[2], validate=True)
    except binascii.Error as error:
        raise _UnusableError("image is not base64") from error


def _rollout_of(text: str, published: PublishedRollouts) -> str:
    problem, solution = _second(text, "visual_reasoning_problem"), _second(text, "solution")
    fitting = published.by_solution.get(_digest(solution), [])
    if len(fitting) > 1:  # the same words may solve two questions
        fitting = [item for item in fitting if item[1] == _digest(problem)]
    if len(fitting) != 1:
        count = "no rollout has" if not fitting else f"{len(fitting)} rollouts have"
        raise _UnusableError(f"{count} this solution")
    return fitting[0][0]


def _second(text: str, tag: str) -> str:
    """The text from the tag's second opening (the first is the template's) to its last closing."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    first = text.find(opening)
    start = text.find(opening, first + 1) if first >= 0 else -1
    end = text.rfind(closing)
    if start < 0 or end < start:
        raise _UnusableError(f"no {opening} after that of the template")
    return text[start + len(opening) : end].strip()
