"""The Speak screen: type a text, choose weights and a reference, listen."""
