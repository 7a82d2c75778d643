"""Line charts and waveforms: ticks, smoothing, character rasters, and their widgets."""
