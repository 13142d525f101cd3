"""Solutions as models write them: text to steps and back, completions to rollouts."""
