"""SoVITS: semantic tokens, phones and a reference spectrogram to a 32 kHz wave.

Attribute names of the modules are the state-dict keys of GPT-SoVITS v2 and v2Pro files.
"""
