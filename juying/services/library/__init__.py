"""Library systems over SIP2 (3M Standard Interchange Protocol 2.00): may this person borrow?"""
