"""Korean g2p: hangul as written, then as pronounced.

The usual package for this downloads data when it is imported and a morphological analyser
without wheels for newer Pythons; the standard pronunciation rules fit into one file.
"""
