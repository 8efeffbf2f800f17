"""make million: a million connections at once, and the curve to there."""
