"""What this machine can do: speaking and training with made-up weights of real size.

May import, of `engine`: `voice` and the layers below.
"""
