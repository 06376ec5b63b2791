"""What each strategy finds, against random search and the average architecture."""
