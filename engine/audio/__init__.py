"""Sound files and signals: decoding, resampling, spectrograms, cutting at silences.

May import, of `engine`: `contract`.
"""
