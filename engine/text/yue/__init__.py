"""Cantonese g2p by jyutping."""
