"""Korean: hangul as written, then as spoken.

The usual package for this wants a download when it is imported and a morphological analyser
without wheels for newer Pythons; the standard pronunciation rules fit into one file.
"""
