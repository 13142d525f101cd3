"""Tables and figures: functions of the metrics alone, with the same bytes every time.

Functions return text or bytes; the stage writes them.
"""
