"""`sovdeck demo`: the whole trip on one computer, over real SSH, with a tiny voice."""
