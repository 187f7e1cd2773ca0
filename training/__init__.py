"""Builds the small default model: corpus, tokenizer, training, evaluation and export.

Nothing here is imported by the server; it runs on a developer's machine and leaves a model folder.
"""
