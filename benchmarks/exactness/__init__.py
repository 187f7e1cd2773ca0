"""Oracles that say what a file defines, and the comparison of the index with them."""
