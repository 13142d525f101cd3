"""What a process reward model's logits mean: aggregation of step scores. Pure functions."""
