"""The ear-proof: what a listener that has nothing but the audio can tell of a training.

``python -m benchmarks.hearing regimes --data DIR`` and so on; DIR is the clinic's, see :mod:`benchmarks.clinic`.
"""
