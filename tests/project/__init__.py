"""The house itself and what machines ask of it."""
