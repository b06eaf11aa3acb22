"""What the site tells those who run it: logs, access lines, metrics, health."""
