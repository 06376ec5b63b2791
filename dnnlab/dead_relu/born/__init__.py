"""How often whole networks are dead from birth."""
