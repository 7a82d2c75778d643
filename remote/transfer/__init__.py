"""Moving files between laptop and server: resumed, verified, whole or absent.

`download.file.pull` fetches one file, `download.files.pull_files` many, `upload.push.push` sends.

May import, of `remote`: `ssh`, `embedded`, `notify` and the layers below.
"""
