"""How sign-up is doing: numbers that are stored, charts that are drawn."""
