"""How the two stages are trained: losses, optimisers, data order, the loop and its tasks."""
