"""How well a linear classifier does on what each layer puts out (Alain & Bengio 2016)."""
