"""The credentials of providers, sealed, and the change of the keys that seal them."""
