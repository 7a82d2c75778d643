"""sovdeck: a dashboard and deployment tool that trains GPT-SoVITS voices on rented GPU servers."""
