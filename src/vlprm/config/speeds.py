"""Stated speeds: what a job takes before anything of a run has been measured.

GPU figures were measured on one H100 80 GB in the pinned image, with random weights of the 3B
shape (7.5 GB in bfloat16), and scale with a model's size in bytes; CPU figures are those of the
mini experiment's models on one core. A rehearsal's own figures replace all of them
(``config.times``).
"""

from __future__ import annotations

import math

from vlprm.config.access import per_minute
from vlprm.config.expected import PREFIXES, continuations
from vlprm.config.models import ModelConfig
from vlprm.config.run import Config
from vlprm.config.work import Job

SHAPE_GB = 7.5
"""Weights of the shape that was measured."""
DRAWN_TOKENS = 10_600.0
"""Tokens per second and card of a policy: 128 questions x 16 in vLLM 0.10.1.1, 916-token prompts
(``bench/results/gpu_shape_3b.json``, policy-small)."""
REQUESTS = 384.0
"""Completions per second of vLLM's front end with the card idle: no policy is faster than that."""
SCORED = 58.0
"""Candidates per second and card of a PRM: 512 of 8 steps, 1,966 tokens (gpu_shape_3b, scorer)."""
TRAINED_TOKENS = 11_800.0
"""Tokens per second and card: micro batch 4, gradient checkpointing, ZeRO-2, flash-attn
(gpu_shape_3b, training-all)."""
START, READ_GB = 60.0, 0.5
"""Seconds until vLLM stands (measured: 35 to 60), and GB of weights read in a second."""

ROLLOUT_TOKENS = 400.0
"""Mean of 64 published candidates (MathVista, upstream's result file): 375."""
LEFT = 0.5
"""Share of a solution that a continuation still draws, over all its prefixes."""
CONVERSATION_TOKENS = 2_000.0
"""Of a training conversation: the scored candidates above have 1,977."""

JUDGE_SECONDS = 30.0
"""One reply of a judge behind an API; an assumption, no measurement."""
JUDGE_PROMPT_TOKENS, JUDGE_REPLY_TOKENS = 2_000.0, 1_500.0
"""Of one call to such a judge, picture and thoughts included; assumptions until some are made."""
CPU_DRAWN, CPU_SCORED, CPU_TRAINED = 530.0, 15.0, 5.0
"""Completions, candidates and conversations per second of the mini models (3 MB) on one core: the
first measured alone, the other two beside other work (docs/rehearsal.md), so on the safe side."""
# seconds for one unit of rules that run no model, each on one core and on the safe side
PLAIN = {
    "prepare": 0.05, "fingerprint": 0.05, "leaks": 0.002,
    "import_rollouts": 0.05, "base": 0.3, "label": 0.002, "judges": 0.0005, "examples": 0.002,
    "grade": 0.02, "grade_search": 0.02, "select": 0.005, "metrics": 0.002,
    "step_metrics": 0.002, "costs": 0.001, "cost_pages": 60.0, "tables": 0.0005, "figures": 60.0,
}  # fmt: skip


def start_seconds(job: Job, config: Config) -> float:
    """Until the job's engines stand; 10 s of imports where there is none on a card."""
    if job.gpus == 0:
        return 10.0
    return START + sum(_gb(model) for model in _models(job, config)) / READ_GB


def unit_seconds(job: Job, config: Config) -> float:
    """Seconds of one unit of a job by the stated speeds."""
    if job.rule in PLAIN:
        return PLAIN[job.rule]
    if job.rule in ("judge", "judge_panel"):
        panel = config.labels.panel
        beside = panel.judges[job.keys[0]] if panel and job.rule == "judge_panel" else None
        judge = beside or config.labels.judge
        if judge is None or judge.engine != "api":
            return 0.001
        taken = per_minute(judge.endpoints, JUDGE_PROMPT_TOKENS + (judge.max_tokens or 0))
        return max(JUDGE_SECONDS / (judge.concurrency or 1), 60 / taken if taken else 0.0)
    model = _models(job, config)[0]
    if job.rule in ("rollout", "estimate"):
        if job.rule == "rollout":
            return _drawn(model, ROLLOUT_TOKENS)
        return continuations(config, job.keys[1]) * _drawn(model, continued_tokens(config))
    if job.rule in ("score", "rank"):
        return 1 / (SCORED * _scale(model)) if model.gpus else 1 / CPU_SCORED
    if job.rule == "train":
        if not job.gpus:
            return 1 / CPU_TRAINED
        return CONVERSATION_TOKENS / (TRAINED_TOKENS / (_gb(model) / SHAPE_GB) * job.gpus)
    return _searched(job, config)


def continued_tokens(config: Config) -> float:
    """Of a continuation."""
    most = config.labels.estimates.max_tokens if config.labels.estimates else None
    return min(ROLLOUT_TOKENS * LEFT, most or math.inf)


def _searched(job: Job, config: Config) -> float:
    """One question of a search: its candidates' tokens are drawn once, every step of each
    is scored with what precedes it, and one model waits while the other works."""
    policy, prm = _models(job, config)
    n = config.searches[job.keys[0]].width
    scored = SCORED * _scale(prm) if prm.gpus else CPU_SCORED
    return n * (_drawn(policy, ROLLOUT_TOKENS) + PREFIXES * LEFT / scored)


def _drawn(model: ModelConfig, tokens: float) -> float:
    """Seconds of one completion."""
    if model.gpus == 0:
        return 1 / CPU_DRAWN
    return max(tokens / (DRAWN_TOKENS * _scale(model)), 1 / REQUESTS)


def _scale(model: ModelConfig) -> float:
    """How much faster than the measured shape on one card: fewer bytes, more cards."""
    return SHAPE_GB / _gb(model) * model.gpus


def _gb(model: ModelConfig) -> float:
    """Weights in GB; the measured shape's where the configuration states none."""
    return (model.hub.gb if model.hub is not None else None) or SHAPE_GB


def _models(job: Job, config: Config) -> list[ModelConfig]:
    """The models that a job runs, the policy first."""
    models, keys = config.models, job.keys
    if job.rule in ("rollout", "estimate"):
        return [models[config.policies[keys[0]].model]]
    if job.rule == "rank":
        return [models[str(config.evaluation.llm_judge)]]
    if job.rule == "search":
        _, prm, policy, _ = keys
        return [models[config.policies[policy].model], models[config.prms[prm].base]]
    return [models[config.prms[keys[0]].base]]
