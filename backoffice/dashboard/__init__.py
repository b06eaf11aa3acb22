"""How sign-up is doing: numbers that are kept, figures that are drawn."""
