"""The Rent screen: offers by the price of a voice, its journey, and what is rented."""
