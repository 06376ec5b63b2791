"""What mean-field theory expects of gradients and of dead units."""
