"""The main question: cost and accuracy of networks at an equal budget."""
