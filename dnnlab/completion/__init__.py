"""Completion by Tab, in bash, zsh and fish: `shells` has what the shells run, `answer` what they are told."""
