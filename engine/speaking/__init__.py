"""Speaking with a trained pair of weights."""
