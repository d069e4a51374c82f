"""Building a store: reading in worker processes, a journal that survives a kill, assembly."""
