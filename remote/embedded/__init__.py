"""A small SSH and SFTP server of our own, for the demo and for tests on machines without sshd."""
