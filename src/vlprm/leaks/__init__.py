"""Do questions or images of the benchmarks stand among the training sources?"""
