"""What each call does: plain functions that know no HTTP."""
