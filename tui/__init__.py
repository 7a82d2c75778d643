"""What a person sees: the Textual dashboard and the `sovdeck` command."""
