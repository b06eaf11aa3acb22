"""Periodic jobs: what runs again and again, and a row for each that says when it ran and how it ended."""
