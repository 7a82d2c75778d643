"""What a server is: facts gathered in one round trip, and the diagnosis made from them."""
