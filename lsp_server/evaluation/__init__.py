"""How good suggestions are, measured on code that was hidden from the model."""
