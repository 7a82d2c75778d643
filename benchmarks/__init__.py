"""What is measured, one file each; peers are real programs or the plain formulation."""
