"""The dataset folder of a voice: from recordings and a list to features, restartable.

May import, of `engine`: `practice` and the layers below.
"""
