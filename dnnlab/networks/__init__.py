"""Networks: activations, initialisers, blocks, families, the catalogue, search spaces, and what a user brings."""
