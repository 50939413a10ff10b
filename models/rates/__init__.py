"""How a rate is learned. In: likelihood rows, a matrix. Out: calibrated log rates, pooled rates, trends."""
