"""The sovdeck engine: prepares data, trains, speaks and packs a GPT-SoVITS voice on the server.

Importing this package loads nothing but the standard library; torch is imported by the
subpackages that need it, so the laptop may import `sovdeck.engine.contract` without it.
"""

import os

__version__ = "0.1.0"

# onnxruntime, which several libraries load where it is installed, would send usage data to its
# maker and leave a database in the home folder, without asking.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
