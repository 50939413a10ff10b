"""What we learn: contracts, features, funnel, value and response curves. Imports neither other package."""
