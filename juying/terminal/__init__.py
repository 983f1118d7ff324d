"""The terminal interface that hospital and library software already calls (iReadCardBas, iReadCard, iWriteCard …)."""
