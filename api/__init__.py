"""How programs talk to the shop, on the same flows, forms and limits as the pages."""
