"""make compare: Spate, the floor and other servers, side by side in one run."""
