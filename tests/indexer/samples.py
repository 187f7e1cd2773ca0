"""One small file a language, with the constructs that matter and none that repeat."""

from __future__ import annotations

SAMPLES = {
    "people.py": '''"""People and what they do."""
from __future__ import annotations
import os, json as js
from app.base import (Base, Mixin as M)
from . import util
LIMIT: int = 10
first, second = 1, 2

@decorated(1)
class Person(Base, M, metaclass=Meta):
    """A person."""
    count = 0
    name: str

    def __init__(self, store: Store, name="🦀"):
        """Makes one."""
        self.store = store
        self.cache = Cache()
        local = 1

    @property
    def full(self) -> str:
        return f"{self.name} é"

    class Inner:
        deep = 1

async def run(*args, **kw):
    def nested():
        return 1
    return await js.load(nested())
''',
}
