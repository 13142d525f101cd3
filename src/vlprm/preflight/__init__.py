"""Before the first job: is everything there that a run needs? One finding per check."""
