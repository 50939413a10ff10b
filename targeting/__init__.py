"""What we decide: campaigns, segments, certified allocation, plans and reports."""
