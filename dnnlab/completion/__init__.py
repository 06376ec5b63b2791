"""Completion by Tab, in bash, zsh and fish: what the shells run is in `shells`, what they are told in `answer`."""
