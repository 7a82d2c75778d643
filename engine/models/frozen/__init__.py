"""Encoders that are never trained: speech content (HuBERT) and Chinese text (RoBERTa)."""
