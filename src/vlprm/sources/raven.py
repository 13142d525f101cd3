"""RAVEN: each puzzle as one image with its eight lettered candidates (HuggingFaceM4/RAVEN)."""

from __future__ import annotations

from vlprm.records import AnswerType
from vlprm.sources.mmpr import Corpus, source

QUESTION = (
    "The image shows a three by three matrix of panels whose last panel is missing, and below it "
    "eight candidates labelled A to H. Which candidate completes the matrix?"
)

SOURCE = source(
    Corpus(
        AnswerType.CHOICE,
        key="id",
        answer="correct_answer",
        images=("combined_image_path",),
        subset="subset_split",
        question=QUESTION,
    )
)
