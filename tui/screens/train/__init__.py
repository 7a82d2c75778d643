"""The Train screen: parameters, the plan, the start of a run."""
