"""`sopilka/status`: what the server is doing and has done, for editors that show it on demand."""

from __future__ import annotations

from typing import Any

from lsp_server.handlers.connection import Connection


def status(connection: Connection, params: Any) -> dict[str, Any]:
    session = connection.session
    now, counts = session.status(), session.index.status()
    engine = session.model.engine.status if session.model else None
    return {
        "busy": now.busy,
        "message": now.message,
        "kind": now.kind,
        "version": connection.version,
        "model": session.model.name if session.model else None,
        "sentTo": session.model.sent_to if session.model else None,
        "files": counts.files,
        "symbols": counts.symbols,
        "documents": counts.documents,
        "memoryTokens": engine.memory_tokens if engine else 0,
        "offered": session.suggestions.count("offered"),
        "accepted": session.suggestions.count("accepted"),
    }
