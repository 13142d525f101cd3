"""Jobs of a workflow on PBS or Slurm: submit, follow, cancel, and say how each one ended.

Standard library only: these commands start hundreds of times per run, also on compute nodes.
"""
