"""What a server confirms before something is promised: weights, data, room, the GPU, other runs."""
