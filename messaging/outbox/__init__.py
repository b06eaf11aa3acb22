"""The outbox: a row for each message, and the way it leaves."""
