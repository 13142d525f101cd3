"""From continuations and verdicts to step labels and training conversations."""
