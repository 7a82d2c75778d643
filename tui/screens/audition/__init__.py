"""The Audition screen: compare checkpoints in a grid, by blind votes and by rank."""
