"""All that only staff see: the admin site and its sign-in, the pages of support, the dashboard."""
