"""How a case is measured: warm-up, calibration, rounds."""
