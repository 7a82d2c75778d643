"""What a run stands on: its journal, its saved states, its device, its signals. No model here."""
