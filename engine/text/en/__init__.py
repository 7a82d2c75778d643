"""English g2p: numbers to words, words by a dictionary, unknown ones by a small network."""
