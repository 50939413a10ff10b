"""Who follows, who buys. In: event log, user features. Out: the audience model, which scores anybody."""
