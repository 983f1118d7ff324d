"""Bytes to model and back: profiles, fields, TLV, CBOR/COSE, base45, QR."""
