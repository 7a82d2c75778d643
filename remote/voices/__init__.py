"""Datasets up, pretrained weights over, trained voices down and verified.

May import, of `remote`: `speech` and the layers below.
"""
