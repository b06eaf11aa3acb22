"""Helping one person: what happened to them, what to tell them, what staff may do."""
