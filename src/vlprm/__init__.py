"""A reproduction package for vision-language process reward models (arXiv 2509.23250)."""

__version__ = "0.1.0"
