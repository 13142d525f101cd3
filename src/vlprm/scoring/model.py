"""A PRM as an object: a checkpoint's folder, solutions in, p(+) of their steps out.

The same renderer and engine as the stage ``score``, so the numbers are those of a run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from vlprm import prompts
from vlprm.config.models import ModelConfig
from vlprm.config.placement import alone
from vlprm.engines import load_scorer
from vlprm.errors import UserError
from vlprm.families import FAMILIES, check_sides, playing
from vlprm.io.images import ImageStore
from vlprm.io.pictures import load
from vlprm.prm.aggregate import AGGREGATIONS, Aggregation, p_plus
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.records import WHOLE_SOLUTION, ImageRef, StepScore

Picture = Path | str | bytes | Image.Image
"""A file, its encoded content, or a picture."""
PIXELS = {"min": 256 * 28 * 28, "max": 1280 * 28 * 28}
"""Of a checkpoint whose processor states none: the published training's."""
BATCH_TOKENS = 65_536


@dataclass(frozen=True, slots=True)
class Solution:
    """One solution of a question, as its steps."""

    images: tuple[Picture, ...]
    question: str
    steps: tuple[str, ...]
    id: str = ""
    """For messages."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a PRM says of one solution."""

    steps: tuple[StepScore, ...]
    """Raw logits of every step, in order."""
    whole: StepScore
    """Of the solution read as a single step: the PRM used as an ORM."""

    @property
    def plus(self) -> list[float]:
        """p(+) of every step, each given that the steps before it are right."""
        return [p_plus(step) for step in self.steps]

    def value(self, aggregation: Aggregation = "min") -> float:
        """One number for the solution; larger is better (``prm.aggregate.AGGREGATIONS``)."""
        return AGGREGATIONS[aggregation](self.steps)


class VLPRM:
    """A process reward model.

    Pictures that were shown are kept, each once, until the object goes.
    """

    def __init__(self, folder: Path, model: ModelConfig, system: str, question: str | None) -> None:
        """``system``: text of the system turn; ``question``: name of the prompt around a question.

        :meth:`from_pretrained` fills these in from a checkpoint.
        """
        self._store = ImageStore()
        self._system, self._prompt = system, question
        self._engine = load_scorer(model, folder, self._store, alone(model))

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        system: str | None = None,
        question_prompt: str | None = None,
        dtype: Literal["float32", "bfloat16"] | None = None,
        gpus: int = 0,
        batch_tokens: int = BATCH_TOKENS,
    ) -> VLPRM:
        """The PRM in a folder: trained by a run, or downloaded.

        ``system`` and ``question_prompt`` are those of its training: a text, or the name of one of
        the package's prompts (default ``prm_system_v1``); and a prompt's name, or None where
        questions are shown as they are. ``dtype``: bfloat16 on GPUs, else float32. Raises
        UserError for a folder that holds no checkpoint of a family that can score, one whose
        tokenizer lacks the value tokens, and cards that are absent or too small.
        """
        place = Path(folder)
        model = ModelConfig(
            source="published",
            family=_family(place),
            path=str(place),
            engines={"scorer": "transformers"},
            dtype=dtype or ("bfloat16" if gpus else "float32"),
            pixels=_pixels(place),
            batch_tokens=batch_tokens,
            gpus=gpus,
        )
        return cls(place, model, system_text(system), question_prompt)

    def score(
        self, images: Picture | Sequence[Picture], question: str, steps: Sequence[str]
    ) -> list[float]:
        """p(+) of every step of one solution. Raises UserError as :meth:`score_all` does."""
        shown = images if isinstance(images, Sequence) and not _single(images) else (images,)
        solution = Solution(tuple(shown), question, tuple(steps))  # type: ignore[arg-type]
        (found,) = self.score_all([solution])
        return found.plus

    def score_all(self, solutions: Sequence[Solution]) -> list[Scored]:
        """Scores in the order of the solutions; those of one question share its prefix.

        Raises UserError, naming the solution, for one without steps and a picture that cannot be
        read or shown.
        """
        requests: list[ScoreRequest] = []
        for number, item in enumerate(solutions):
            name = item.id or f"solution {number}"
            steps = tuple(step.strip() for step in item.steps)
            if not steps or not all(steps):
                raise UserError("no steps, or an empty one", where=name, cure="leave it out")
            shown = self._question(item.question)
            images = tuple(self._ref(image, name) for image in item.images)
            for view in (steps, ("\n\n".join(steps),)):
                requests.append(ScoreRequest(name, self._system, images, shown, view))
        replies = self._engine.score(requests)
        return [
            Scored(
                tuple(_score(index, logits) for index, logits in enumerate(of_steps)),
                _score(WHOLE_SOLUTION, of_whole[0]),
            )
            for of_steps, of_whole in zip(replies[::2], replies[1::2], strict=True)
        ]

    def _question(self, question: str) -> str:
        return prompts.render(self._prompt, question=question) if self._prompt else question

    def _ref(self, image: Picture, name: str) -> ImageRef:
        if isinstance(image, Image.Image):
            picture = image
        else:
            picture = load(Path(image) if isinstance(image, str) else image, name)
        check_sides(picture.width, picture.height, name)
        return self._store.put(picture)


def system_text(given: str | None) -> str:
    """The text of a system turn, given as such or as the name of a prompt; default the package's.

    Raises UserError for one word that names no prompt.
    """
    text = given or "prm_system_v1"
    return text if any(letter.isspace() for letter in text) else prompts.render(text)


def _single(images: object) -> bool:
    return isinstance(images, str | bytes)


def _score(index: int, logits: StepLogits) -> StepScore:
    return StepScore(
        rollout_id="",
        step_index=index,
        logit_plus=logits.plus,
        logit_minus=logits.minus,
        prompt_tokens=logits.prompt_tokens,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"no checkpoint ({type(error).__name__})",
            where=str(path),
            cure="give the folder of a PRM: config.json, tokenizer and model.safetensors",
        ) from error
    return found if isinstance(found, dict) else {}


def _family(folder: Path) -> str:
    kind = _read(folder / "config.json").get("model_type")
    for name in playing("scorer"):
        if FAMILIES[name].architecture == kind:
            return name
    raise UserError(
        f"model_type {kind!r} cannot score",
        where=str(folder / "config.json"),
        cure=f"give a checkpoint of {' or '.join(playing('scorer'))}",
    )


def _pixels(folder: Path) -> dict[str, int]:
    path = folder / "preprocessor_config.json"
    stated = _read(path) if path.exists() else {}
    size = stated.get("size")
    size = size if isinstance(size, dict) else {}
    least = stated.get("min_pixels") or size.get("shortest_edge") or PIXELS["min"]
    most = stated.get("max_pixels") or size.get("longest_edge") or PIXELS["max"]
    return {"min": int(least), "max": int(most)}
