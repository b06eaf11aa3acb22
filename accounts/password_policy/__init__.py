"""Which passwords are taken, and how they are hashed."""
