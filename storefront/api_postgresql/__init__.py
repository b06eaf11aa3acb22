"""A database backend: PostgreSQL as the api process uses it, on its event loop."""
