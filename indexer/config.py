"""Limits of the index. They are values of the user's settings, so each states its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """What is taken into the index and how much of it."""

    max_file_bytes: int = 1_000_000
    """A larger file on disk is left out; a larger open document is kept as text without a tree."""
    workers: int = 2
    """Processes that parse during a crawl; 0 parses in the crawling thread."""
    max_worker_bytes: int = 1_000_000_000
    """Memory that a worker process may take beyond what it starts with, where this can be set."""
    max_file_seconds: float = 10.0
    """A file or a folder that takes more processor time, or six times as long, is left out."""
    follow_ignore_files: bool = True
    """Whether .gitignore, .ignore and .git/info/exclude count; .sopilkaignore always does."""
    extra_ignore: tuple[str, ...] = ()
    """Further patterns in the syntax of .gitignore, relative to each root."""
    max_memory_bytes: int = 1_000_000_000
    """What the tables and facts may take, the texts and trees of open documents apart."""
    store_folder: str = ""
    """Where facts are kept from one start to the next; "" keeps none."""
    max_store_bytes: int = 1_000_000_000
    """What the store may take on disk; beyond it, what was not used for longest goes."""

    def __post_init__(self) -> None:
        if self.max_file_bytes <= 0:
            raise ValueError(f"max_file_bytes must be positive, not {self.max_file_bytes}")
        if self.max_memory_bytes <= 0:
            raise ValueError(f"max_memory_bytes must be positive, not {self.max_memory_bytes}")
        if self.max_store_bytes <= 0:
            raise ValueError(f"max_store_bytes must be positive, not {self.max_store_bytes}")
        if self.max_worker_bytes <= 0:
            raise ValueError(f"max_worker_bytes must be positive, not {self.max_worker_bytes}")
        if self.max_file_seconds <= 0:
            raise ValueError(f"max_file_seconds must be positive, not {self.max_file_seconds}")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, not {self.workers}")
