"""Everything between laptop and server: SSH, deploy, jobs, streams, transfers."""
