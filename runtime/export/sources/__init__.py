"""Where models come from: Hugging Face directories and GGUF files.

All numbers in these files are checked before they are used; nothing in them is executed.
"""

from runtime.export.sources.checkpoint import Checkpoint
from runtime.export.sources.gguf import GgufModel
from runtime.export.sources.locate import open_source
from runtime.export.sources.source import Source, Storage

__all__ = ["Checkpoint", "GgufModel", "Source", "Storage", "open_source"]
