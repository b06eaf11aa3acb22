"""The shopper's journeys."""
