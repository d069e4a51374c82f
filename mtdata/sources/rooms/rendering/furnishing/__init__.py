"""What stands in a room, and where: floor plans, furniture, people, decoration."""
