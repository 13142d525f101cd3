"""Anyone's solutions read by a PRM, without a run: in Python, and for files of JSON lines."""

from vlprm.scoring.model import VLPRM, Scored, Solution

__all__ = ["VLPRM", "Scored", "Solution"]
