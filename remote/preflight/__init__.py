"""What a server confirms before something is promised: weights, data, room, the GPU, other runs.

May import, of `remote`: `voices` and the layers below.
"""
