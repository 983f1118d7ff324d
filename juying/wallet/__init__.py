"""A reference wallet: what an app on the holder's phone does, for tests, trials and developers of such apps."""
