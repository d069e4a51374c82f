"""Opening a store, wherever it is: what it may hold is looked at before anything is believed."""
