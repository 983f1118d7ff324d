"""The issuing office: applications in, cards and credentials out."""
