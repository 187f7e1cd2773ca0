"""One folder a language: what it is called, how it is parsed, and our queries over its trees."""
