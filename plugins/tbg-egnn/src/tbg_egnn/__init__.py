"""E(3)-equivariant graph neural network vector fields and the checkpoints trained with them."""
