"""Training: keyed batches, an exactly resumable loop, averaged weights."""
