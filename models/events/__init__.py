"""What happened, read once. In: the contract's tables as of a moment. Out: showings, follows, orders."""
