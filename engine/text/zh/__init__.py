"""Mandarin: numbers into characters, characters into syllables, syllables as people say them."""
