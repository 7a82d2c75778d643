"""From written text to phones: five languages, one table of 732 symbols (compat SPEC 6).

Nothing here downloads anything, at import or at first use.

May import, of `engine`: `contract`.
"""
