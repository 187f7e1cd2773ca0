"""What is known about data files in YAML: keys as far down as is worth it."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_symbols
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.yaml"),
        snapshot("""\
key version | version: '3' | # How the shop runs.
key x-base | x-base:
field x-base.base | &base image: "shop:é"
key x-base.image | image: "shop:é"
key services | services: # Serves.
key services.web | web: | # Serves.
key services.web.<< | <<: *base
key services.web.ports | ports:
key services.web.deploy | deploy:
key services.quoted key | "quoted key": {a: 1}
key second | second: document\
"""),
    )


def test_references() -> None:
    check_references("shop.yaml", snapshot("8 base:name"))
