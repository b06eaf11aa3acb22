"""A believable year of made-up people."""
