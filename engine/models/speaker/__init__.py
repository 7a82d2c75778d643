"""Who is speaking, as numbers: a frozen speaker network (ERes2NetV2) and its features."""
