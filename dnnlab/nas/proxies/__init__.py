"""How well cheap scores rank architectures."""
