"""Speaking with a trained pair of weights.

May import, of `engine`: `prepare` and the layers below.
"""
