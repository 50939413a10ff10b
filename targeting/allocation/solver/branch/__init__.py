"""Closing the gap that mixtures leave where cells are S-shaped or on/off."""
