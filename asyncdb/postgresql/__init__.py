"""A database backend: Django's own for PostgreSQL, which waits on the event loop in a lane."""
