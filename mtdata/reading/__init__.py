"""From a store to batches: dataset, augmentation, geometry, loader, cache."""
