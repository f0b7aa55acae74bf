"""The other side of every socket: simulated patients, scanners and the imaging system, all without hardware."""
