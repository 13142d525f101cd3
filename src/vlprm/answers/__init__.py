"""Final answers: taken from a solution, compared with gold, grouped for voting."""
