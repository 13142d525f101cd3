"""Qwen2.5-VL checkpoints: loading, inputs, and a vision tower that batches equal images."""
