"""Files that survive a crash: atomic writes, numbered shards, checkpoints."""
