"""The engine's own commands; other rooms keep theirs beside what they do."""
