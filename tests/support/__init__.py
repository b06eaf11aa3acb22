"""What tests act with: people, pages, staff, many at once, providers."""
