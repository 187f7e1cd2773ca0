"""Context for a prompt: what else a model should see, within a budget."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from indexer.document import Document
from indexer.nearby import surroundings
from indexer.needs import NeedSearch
from indexer.pack import LAYERS, Packer, items_of
from indexer.repository import Repository
from indexer.snippet import Snippet


class ContextSearch:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def context(self, document, offset, budget, deadline=None, recent=(), count=None):
        facts = document.facts
        count = count or (lambda text: len(text.encode()) // 4 + 1)
        around = surroundings(document, facts, offset)
        search = NeedSearch(self._repository, document, facts, around, deadline)
        search.away_from_the_line()
        items = items_of(self._repository, search.needs.values())
        packer = Packer(self._repository, count, search.late)
        found = []
        spent = 0
        for layer in (*[one for one in LAYERS if one < budget], budget):
            more = packer.layer(items, layer - spent)
            found += more
            spent = layer
        return found
