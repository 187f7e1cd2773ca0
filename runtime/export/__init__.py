"""Turns a checkpoint into a bundle; never imported while serving.

python -m runtime.export --help
"""
