"""pytest's face: options, markers, fixtures and hooks. The only part that imports pytest."""
