"""InfoVQA with open answers: infographics (MMPR v1.2 prompts)."""

from __future__ import annotations

from vlprm.records import AnswerType
from vlprm.sources.mmpr import Corpus, source

SOURCE = source(Corpus(AnswerType.TEXT))
