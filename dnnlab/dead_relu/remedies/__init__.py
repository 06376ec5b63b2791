"""What each remedy does to the dead units and to the accuracy, seed by seed."""
