"""Networks, losses, methods, weightings, metrics and training on partly labelled images."""
