"""What a card or a code presents, and what it is good for."""
