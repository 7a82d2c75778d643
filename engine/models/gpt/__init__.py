"""Stage 1 of GPT-SoVITS: phones and BERT features to 25 Hz semantic tokens."""
