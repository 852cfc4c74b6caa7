"""See `server.py`."""
