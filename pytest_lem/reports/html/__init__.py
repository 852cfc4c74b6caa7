"""A run as one page that opens offline: figures, charts, and what they rest on."""
