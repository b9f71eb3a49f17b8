"""What Kokoro's library says, beside upstream's own code in float64 with the same noise."""
