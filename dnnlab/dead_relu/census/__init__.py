"""Which units are dead on a fixed set of inputs, when they died, and what chance would leave dead at birth."""
