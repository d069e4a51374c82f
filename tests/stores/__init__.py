"""Small stores, and what is done to them."""
