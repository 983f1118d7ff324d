"""Programs that throw mutated input at a parser; `make fuzz` runs them long, the tests run them short."""
