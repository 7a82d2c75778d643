"""`sovdeck demo`: deploy, train and download on one computer, over real SSH."""
