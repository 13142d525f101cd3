"""Final answers: found by their marks, compared with gold, grouped for voting."""
