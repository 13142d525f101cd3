"""From a completion to a rollout, and from a rollout back to its true prefixes.

The one place where a drawn text becomes a record: at rollout, at search and when
published rollouts are imported.
"""

from __future__ import annotations

from vlprm import prompts
from vlprm.answers.extract import extract_answer
from vlprm.protocols import Completion
from vlprm.records import Message, Rollout, Sample, Step
from vlprm.solutions.steps import Layout, StepParseError, split


def rollout_id(sample_id: str, drawn_by: str, number: int) -> str:
    """``mathvista/testmini/17/large#003``: unique in a run.

    ``drawn_by``: the policy's name, or :func:`searched_by`.
    """
    return f"{sample_id}/{drawn_by}#{number:03d}"


def searched_by(search: str, policy: str, prm: str) -> str:
    """``beam-4x4:large:prm-small``: who drew a search's rollouts."""
    return f"{search}:{policy}:{prm}"


def sample_of(rollout_id: str) -> str:
    """``mathvista/testmini/17/large#003`` solves ``mathvista/testmini/17``."""
    return rollout_id.rpartition("/")[0]


def policy_messages(
    sample: Sample, question: str, *, system_prompt: str | None, user_prompt: str
) -> tuple[Message, ...]:
    """The chat a policy answers: an optional system turn, then images and question."""
    user = Message(
        role="user", text=prompts.render(user_prompt, question=question), images=sample.images
    )
    if system_prompt is None:
        return (user,)
    return (Message(role="system", text=prompts.render(system_prompt)), user)


def to_rollout(
    sample: Sample,
    drawn_by: str,
    number: int,
    completion: Completion,
    *,
    seed: int,
    layout: Layout,
) -> Rollout:
    """Parse a complete solution. Steps that cannot be told apart leave ``steps`` empty.

    ``drawn_by`` and ``number`` make its id (:func:`rollout_id`). An unfinished or failed
    completion keeps its text but has no answer.
    """
    finished = completion.finish_reason == "stop"
    return Rollout(
        id=rollout_id(sample.id, drawn_by, number),
        sample_id=sample.id,
        text=completion.text,
        steps=steps_or_none(completion.text, layout),
        answer=extract_answer(completion.text, sample) if finished else None,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        seed=seed,
    )


def steps_or_none(text: str, layout: Layout) -> tuple[Step, ...]:
    """The steps of a text; none when it does not follow its layout."""
    try:
        return split(text, layout)
    except StepParseError:
        return ()
