"""Small batches and runs, and what plugs into them."""
