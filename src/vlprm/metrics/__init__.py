"""Metrics: accuracy, oracle, step and first-error F1, calibration, each with its interval.

Questions are what is resampled; an ungraded pick is counted apart, never as wrong.
"""
