"""The ledger of an issuing office: every order, card, permit and credential, and every change of them."""
