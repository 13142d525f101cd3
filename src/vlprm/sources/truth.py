"""The judge that knows: a generated puzzle's own account of itself (``Sample.explanation``).

It replies in the judge's text protocol (sections, ``<analysis_k>`` up to the first wrong step,
``<conclusion>``), so the parser of real judges' replies reads it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Section
from vlprm.solutions.steps import numbered
from vlprm.sources.matrix_text import first_error

_HEADERS = {Section.PERCEPTION: "[Visual Elements]", Section.REASONING: "[Reasoning]"}


class TruthJudge:
    """Knows a generated puzzle's truth (``Sample.explanation``) and checks every step by it."""

    def judge(self, requests: Sequence[JudgeRequest]) -> Iterator[tuple[int, JudgeReply]]:
        """See ``protocols.Judge``. A question without an explanation is refused."""
        for place, request in enumerate(requests):
            yield place, self._reply(request)

    def _reply(self, request: JudgeRequest) -> JudgeReply:
        if request.sample.explanation is None:
            return JudgeReply("", "refused", "the question carries no truth to judge by")
        wrong = first_error(request.sample.explanation, request.steps)
        lines: list[str] = []
        section = None
        for step, (part, number) in zip(request.steps, numbered(request.steps), strict=True):
            if part is not section:
                lines.append(_HEADERS[part])
                section = part
            said = "This step is wrong." if step.index == wrong else "This step is right."
            lines.append(f"<analysis_{number}>\n{said}\n</analysis_{number}>")
            if step.index == wrong:
                break
        outcome = "Correct" if wrong is None else "Incorrect"
        return JudgeReply("\n".join([*lines, f"<conclusion>\n{outcome}\n</conclusion>"]), "ok")
