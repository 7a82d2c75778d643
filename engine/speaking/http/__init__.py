"""The HTTP endpoints that existing clients know: OpenAI's and GPT-SoVITS's, old and new."""
