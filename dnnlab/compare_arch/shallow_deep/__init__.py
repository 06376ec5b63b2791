"""How many hidden units parity and a compositional function need, in one hidden layer and in several."""
