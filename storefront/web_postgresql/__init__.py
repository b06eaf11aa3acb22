"""A database backend: PostgreSQL as the web uses it."""
