"""A voice's recordings and transcripts: reading, checking, correcting and reporting on them.

Standard library only, so that the laptop checks a dataset before anything is uploaded or paid.
"""
