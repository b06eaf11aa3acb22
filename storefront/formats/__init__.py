"""How dates and times look where nobody says otherwise."""
