"""SE(3)-equivariant tensor-product fields on e3nn, and the checkpoints trained with them."""
