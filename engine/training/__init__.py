"""How the two stages are trained: losses, optimisers, data order, the loop and its tasks.

May import, of `engine`: `prepare` and the layers below.
"""
