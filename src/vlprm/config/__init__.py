"""The configuration, one frozen block a file; ``config.run.Config`` is the whole tree."""
