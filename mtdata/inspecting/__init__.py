"""What is in a store: facts, statistics, pictures, checks, differences."""
