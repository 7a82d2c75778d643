"""Cantonese, read in jyutping."""
