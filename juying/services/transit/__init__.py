"""Transit (交通联合): may this card ride here, decided from the chip alone, and the tap that takes the fare."""
