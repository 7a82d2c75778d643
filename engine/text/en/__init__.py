"""English: numbers into words, words through a dictionary, the rest through a small network."""
