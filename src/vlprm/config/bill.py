"""What a judge's open calls will cost, and how long its endpoints take for them, as arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlprm.config.access import Access, per_minute
from vlprm.config.labels import JudgeConfig
from vlprm.config.speeds import JUDGE_PROMPT_TOKENS, JUDGE_REPLY_TOKENS, JUDGE_SECONDS

VERDICT_KB = 6.0
"""A verdict and its ledger's entry on disk: a reply of some thousand words, twice, compressed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of calls before they are made."""

    planned: int
    """Calls planned from records."""
    prompt: float
    """Tokens of their prompts in all."""
    configured: int
    """Calls of jobs whose inputs are not there yet, by the configuration's counts."""
    answered: int = 0
    """Calls that endpoints counted the tokens of."""
    answered_prompt: int = 0
    answered_reply: int = 0
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class JudgeBill:
    """One judge behind an address."""

    name: str
    judge: JudgeConfig
    access: Access
    known: Known

    @property
    def calls(self) -> int:
        """Calls that are open."""
        return self.known.planned + self.known.configured

    @property
    def prompt(self) -> float:
        """Tokens of all prompts."""
        each, known = JUDGE_PROMPT_TOKENS, self.known
        if known.answered:
            each = known.answered_prompt / known.answered
        elif known.planned:
            each = known.prompt / known.planned
        planned = known.planned * each if known.answered else known.prompt
        return planned + known.configured * each

    @property
    def reply_tokens(self) -> float:
        """Of one reply."""
        known, most = self.known, float(self.judge.max_tokens or JUDGE_REPLY_TOKENS)
        if known.answered:
            return known.answered_reply / known.answered
        return min(JUDGE_REPLY_TOKENS, most)

    @property
    def money(self) -> float:
        """Expected for the open calls."""
        price = self.access.price
        return price.of(self.prompt, self.calls * self.reply_tokens) if price else 0.0

    @property
    def most(self) -> float:
        """The same, were every reply as long as it may be."""
        price = self.access.price
        return price.of(self.prompt, self.calls * (self.judge.max_tokens or 0)) if price else 0.0

    @property
    def minutes(self) -> tuple[float, str]:
        """For the open calls, and what decides it."""
        at_once = (self.judge.concurrency or 1) * 60 / JUDGE_SECONDS
        each = self.prompt / self.calls if self.calls else JUDGE_PROMPT_TOKENS
        taken = per_minute(self.judge.endpoints, each + (self.judge.max_tokens or 0))
        if taken is not None and taken < at_once:
            return self.calls / taken, f"{taken:,.0f} calls a minute within the endpoints' limits"
        why = f"{self.judge.concurrency} at once, {JUDGE_SECONDS:.0f} s each (an assumption)"
        return self.calls / at_once, why

    @property
    def enough(self) -> bool:
        """Whether the budget pays for what is expected."""
        most = self.access.most
        return most is None or self.known.spent + self.money <= most

    def lines(self) -> Iterator[str]:
        """The bill with its arithmetic."""
        calls, price = self.calls, self.access.price
        sign = "~" if self.known.configured else ""
        told = f"counted in {self.known.answered:,} answers" if self.known.answered else "assumed"
        each = self.prompt / calls if calls else 0.0
        measured = "from records" if self.known.planned and not self.known.answered else told
        replies = calls * self.reply_tokens
        minutes, why = self.minutes
        yield f"bill of {self.name} ({self.judge.model})"
        yield f"  calls   {sign}{calls:,}" + self._again()
        yield f"  prompts {calls:,} x {each:,.0f} tokens ({measured}) = {_tokens(self.prompt)}"
        yield f"  replies {calls:,} x {self.reply_tokens:,.0f} tokens ({told}) = {_tokens(replies)}"
        if price is None:
            yield "  money   not known: the configuration has no prices"
        else:
            unit = price.currency
            yield (
                f"  money   {_tokens(self.prompt)} x {price.input:g} + {_tokens(replies)} x"
                f" {price.output:g} {unit} a million = {self.money:,.2f} {unit}; at most"
                f" {self.most:,.2f} {unit} (every reply of {self.judge.max_tokens:,} tokens)"
            )
            yield f"  spent   {self.known.spent:,.2f} {unit} so far; {self._budget(unit)}"
        yield f"  time    {calls:,} calls, {why} = {minutes / 60:,.1f} h"
        yield f"  disk    {calls:,} x {VERDICT_KB:g} kB = {calls * VERDICT_KB / 1e6:,.2f} GB"

    def _again(self) -> str:
        more = self.judge.attempts - 1
        return f"; replies that cannot be read are asked for up to {more} times more" * (more > 0)

    def _budget(self, unit: str) -> str:
        if self.access.budget is None:
            said = "no budget: nothing is asked (labels.judge.budget)"
            return said if self.access.paid else "calls are free"
        if self.access.most is None:
            return "budget unlimited"
        pays = "pays for all of it" if self.enough else "does NOT pay for all of it"
        return f"the budget of {self.access.most:,.2f} {unit} {pays}"


def _tokens(count: float) -> str:
    return f"{count / 1e6:,.3g} M" if count < 1e9 else f"{count / 1e6:,.0f} M"
