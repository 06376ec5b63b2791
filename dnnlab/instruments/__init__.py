"""What watches a network without changing it: recorder, census, counter, memory, clock, proofs."""
