"""Test-time search: selection among stored candidates, voting, step-guided greedy search.

Nothing here sees a gold answer. Aggregations, prompts and parsing come as arguments, so that
this layer needs neither the PRM format nor a model.
"""
