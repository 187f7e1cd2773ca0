"""`sopilka::Embedding`: rows of a quantized matrix that `Linear` can read as well.

So an embedding that is the head too is stored once.
"""
