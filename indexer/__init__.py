"""Code intelligence: text, trees, facts, and questions about them. Knows no protocol, no model."""

from indexer.changes import ByteEdit, Change, Close, Edit, FileFound, FileGone, Open, Replace
from indexer.config import IndexConfig
from indexer.crawl import Crawler
from indexer.crawl_state import Batch, Progress
from indexer.document import Document, syntax_errors
from indexer.extract import extract
from indexer.facts import Chunk, FileFacts, Import, Kind, Reference, Role, Symbol
from indexer.ignore import Rules, Verdict
from indexer.index import Index, Status
from indexer.language import Language, language_of
from indexer.line_index import Encoding, LineIndex
from indexer.navigate import Occurrence, Target
from indexer.scope import Scope
from indexer.secrets import looks_secret, mask_secrets
from indexer.snippet import RecentSpan, Snippet
from indexer.structure import Fold, folds, selections, statements, word_at
from indexer.syntax_at import SyntaxAt
from indexer.unknown import UnknownName
from indexer.watch import Watcher

__all__ = [
    "Batch",
    "ByteEdit",
    "Change",
    "Chunk",
    "Close",
    "Crawler",
    "Document",
    "Edit",
    "Encoding",
    "FileFacts",
    "FileFound",
    "FileGone",
    "Fold",
    "Import",
    "Index",
    "IndexConfig",
    "Kind",
    "Language",
    "LineIndex",
    "Occurrence",
    "Open",
    "Progress",
    "RecentSpan",
    "Reference",
    "Replace",
    "Role",
    "Rules",
    "Scope",
    "Snippet",
    "Status",
    "Symbol",
    "SyntaxAt",
    "Target",
    "UnknownName",
    "Verdict",
    "Watcher",
    "extract",
    "folds",
    "language_of",
    "looks_secret",
    "mask_secrets",
    "selections",
    "statements",
    "syntax_errors",
    "word_at",
]
