"""What methods are worth on real data: many trainings each, whose scores docs/results holds."""
