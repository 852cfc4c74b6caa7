"""The command line `lem`: one folder for each command."""
