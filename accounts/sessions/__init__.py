"""One browser: its session row, what it is in the middle of, from where it comes, whether it is trusted."""
