"""Where the pure Arrow scoring function runs: on this machine in parts, or on Spark."""
