"""Records: what flows between stages.

Each record has one writer. Ids are readable paths: sample ``mathvista/testmini/17``,
rollout ``mathvista/testmini/17/large#003`` (``solutions.rollouts.rollout_id``). This module imports
pydantic and the standard library only; it knows nothing of files, models or prompts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Label = Literal[0, 1]
FinishReason = Literal["stop", "length", "error"]


class Record(BaseModel):
    """Frozen, strict about its fields: a misspelt or extra field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class AnswerType(StrEnum):
    """How an answer is compared (``answers.equal``)."""

    CHOICE = "choice"
    INTEGER = "integer"
    FLOAT = "float"
    MATH = "math"
    TEXT = "text"
    LIST = "list"


class Section(StrEnum):
    """Part of a solution a step belongs to."""

    PERCEPTION = "perception"
    REASONING = "reasoning"
    SOLUTION = "solution"


class ImageRef(Record):
    """An image in the store, named by its content."""

    sha256: Sha256
    width: int
    height: int


def letter(index: int) -> str:
    """The letter of an option: 0 is A."""
    return chr(ord("A") + index)


class Sample(Record):
    """A question with its images and gold answer. Written by ``prepare``."""

    id: str
    question: str
    images: tuple[ImageRef, ...]
    choices: tuple[str, ...] = ()
    answer: str
    """The gold answer; for CHOICE the letter (A, B, ...)."""
    answer_type: AnswerType
    precision: int | None = None
    """Decimals that count, for FLOAT answers."""
    unit: str | None = None
    """Unit the question asks for; shown to the policy, not part of the answer."""
    subset: str | None = None
    """Category the benchmark reports by."""
    explanation: str | None = None
    """The data set's own account of the solution (JSON for matrices); never shown to a policy."""

    @model_validator(mode="after")
    def _choice_has_choices(self) -> Self:
        if self.answer_type is AnswerType.CHOICE:
            letters = [letter(i) for i in range(len(self.choices))]
            if self.answer not in letters:
                raise ValueError(
                    f"{self.id}: answer {self.answer!r} is not one of the choice letters {letters}"
                )
        return self


class Step(Record):
    """One step of a solution."""

    index: int
    section: Section
    text: str
    """The step without section header, tags and surrounding blank space."""
    end: int
    """Offset in ``Rollout.text`` where the step ends (separator or closing tag included):
    ``text[:end]`` is the prefix that a true continuation continues."""


class Rollout(Record):
    """One solution of one sample, drawn from a policy. Also a candidate at evaluation."""

    id: str
    sample_id: str
    text: str
    steps: tuple[Step, ...]
    answer: str | None
    """Extracted final answer; None if none was found."""
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    seed: int

    @model_validator(mode="after")
    def _steps_count_up(self) -> Self:
        if [step.index for step in self.steps] != list(range(len(self.steps))):
            raise ValueError(f"{self.id}: step indices must run 0..{len(self.steps) - 1}")
        return self


class Grade(Record):
    """Is the answer of a rollout right?"""

    rollout_id: str
    correct: bool | None
    """None: could not be graded (see reason); counted apart, never as wrong."""
    method: Literal["choice", "number", "math", "text", "list", "judge"]
    reason: str | None = None


class StepEstimate(Record):
    """Monte-Carlo value of a step: continuations from its prefix that end right.

    Counts are of what was drawn. Without ``estimates.draw: all`` a step is left once its side of
    the threshold is certain, or likely enough (``sequential``), and has no estimate where no label
    depends on it: then ``n_graded`` is small where ``value`` is large, and only the side that
    ``value`` lies on means anything, no mean or spread over steps.
    """

    rollout_id: str
    step_index: int
    n_correct: int
    n_graded: int
    n_failed: int
    """API errors, truncations, unparsed answers: not wrong answers."""

    @property
    def value(self) -> float | None:
        """Share of graded continuations that end right; None when none was graded."""
        return self.n_correct / self.n_graded if self.n_graded else None


class Verdict(Record):
    """What a judge model says of a rollout."""

    rollout_id: str
    judge: str
    first_error: int | None
    """Index of the first wrong step; None with status "ok" means all steps right."""
    status: Literal["ok", "unparsed", "refused", "error"]
    reason: str | None = None
    """Why the reply could not be used, when status is not "ok"."""
    raw: str


class StepLabel(Record):
    """The training label of a step."""

    rollout_id: str
    step_index: int
    label: Label | None
    """None: kept out of the loss."""
    rule: str
    """The case of the labelling rule that decided."""


class PRMExample(Record):
    """A training conversation: a question, steps of its solution, one label per step."""

    rollout_id: str
    images: tuple[ImageRef, ...]
    system: str
    question: str
    """The question as it is shown to the PRM; the model's family lays out the turns."""
    steps: tuple[str, ...]
    labels: tuple[Label | None, ...]

    @model_validator(mode="after")
    def _labels_match_steps(self) -> Self:
        if len(self.steps) != len(self.labels):
            raise ValueError(
                f"{self.rollout_id}: {len(self.steps)} steps, {len(self.labels)} labels"
            )
        if all(label is None for label in self.labels):
            raise ValueError(f"{self.rollout_id}: no step carries a label")
        return self


WHOLE_SOLUTION = -1
"""``StepScore.step_index`` of the whole solution judged as one step."""


class StepScore(Record):
    """What the PRM says of a step, before any aggregation."""

    rollout_id: str
    step_index: int
    """WHOLE_SOLUTION: the whole solution judged as one step (the PRM used as an ORM)."""
    logit_plus: float
    logit_minus: float
    prompt_tokens: int
    """Tokens of the prompt up to the read-out position, image tokens included (the L of the
    published reward)."""


class SearchCost(Record):
    """What a search of one question asked for."""

    sample_id: str
    rounds: int
    policy_samples: int
    sampled_tokens: int
    """Drawn by the policy, steps that were not taken included."""
    prm_calls: int
    read_tokens: int
    """Read by the PRM: each call's whole prompt, image tokens included."""


class Selection(Record):
    """The rollout a strategy picks out of n."""

    sample_id: str
    prm: str | None
    """The PRM whose scores decided; None for strategies that ask none."""
    strategy: str
    aggregation: str | None
    n: int
    draw: int
    """Which random draw of n out of all rollouts."""
    rollout_id: str


ACCURACY, OVER_MAJORITY = "accuracy", "accuracy_over_majority"
NOISE_ONE, NOISE_OWN = "decoding_one", "decoding_own"
"""Names of metrics that tables look up: accuracy, its difference to majority vote, and its decoding
noise with one answer per question and with as many as were drawn."""
POLICY_TOKENS, READ_TOKENS = "policy_tokens", "read_tokens"
"""Names of cost metrics, means per question: tokens drawn by the policy, and tokens read by the PRM
or the judge."""
CHOSEN = "chosen"
"""The strategy of the best row of a policy and n: chosen on one half of the questions, reported on
the other. Its PRM is the chosen one's, its aggregation the chosen curve."""


class Metric(Record):
    """One number with its interval, and what it was measured on."""

    benchmark: str
    policy: str
    prm: str | None
    strategy: str
    aggregation: str | None
    n: int
    name: str
    value: float | None
    low: float | None
    high: float | None
    delta: float | None
    """Difference to pass@1 of the same policy and benchmark, paired over questions."""
    delta_low: float | None
    delta_high: float | None
    n_samples: int
    n_ungraded: int
    unfinished: float | None = None
    """Share of the answers behind the value that were cut, whatever they count as."""


BY_VERDICTS = "verdicts"
_PARTS = (Section.PERCEPTION, Section.REASONING)
BY_VERDICTS_WITHIN = {part: f"{BY_VERDICTS}/{part.value}" for part in _PARTS}
"""``Metric.strategy`` of what is measured on steps: of all, and within one section."""


class Message(Record):
    """One chat message; its images come before its text."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[ImageRef, ...] = ()


class Sampling(Record):
    """Decoding settings of a policy."""

    temperature: float = Field(ge=0, allow_inf_nan=False)
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=0)
    """0: no limit."""
    repetition_penalty: float = Field(gt=0, allow_inf_nan=False)
    max_tokens: int = Field(gt=0)
