"""Models behind a server: the same interface as an engine here, spoken over HTTP.

Nothing in here runs unless the user's settings ask for it: all other code works without a network.
"""
