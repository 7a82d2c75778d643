"""Datasets up, pretrained weights over, trained voices down and verified."""
