"""How words reach a person."""
