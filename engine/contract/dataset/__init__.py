"""A voice's recordings and transcripts: what a list says and what its audio is worth.

Standard library only, so that the laptop checks a dataset before anything is pushed or paid.
"""
