"""Line charts and waveforms: ticks, smoothing, character rasters, and their widgets.

May import, of `tui`: `state` and the layers below.
"""
