"""The dataset folder of a voice: from recordings and a list to features, restartable."""
