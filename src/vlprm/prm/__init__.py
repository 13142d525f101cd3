"""What a process reward model reads and what its logits mean: text layout, image sizes,
aggregation of step scores. Pure functions, no models."""
