"""Selection among stored candidates: draws of n, strategies, voting. No gold answer is seen.

Aggregations come as arguments, so that this layer needs neither the PRM format nor a model.
"""
