"""The outbox: a row for each message, and how it is sent."""
