"""All that only staff see: the admin site and its door, the pages of support, the dashboard."""
