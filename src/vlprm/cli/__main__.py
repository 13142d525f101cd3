"""``python -m vlprm.cli``: what the rules call."""

from vlprm.cli import main

main()
