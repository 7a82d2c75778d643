"""Moving files between laptop and server: resumed, verified, whole or absent.

`pull.pull` brings one file home, `push.push` brings many up; see docs of each.
"""
