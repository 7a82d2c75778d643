"""Mandarin g2p: numbers to characters, characters to syllables, tone sandhi, phones."""
