"""Keys and signatures: `juying.crypto.signing`."""
