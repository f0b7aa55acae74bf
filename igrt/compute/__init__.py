"""The kernels behind one interface: a NumPy reference and native code for each instruction set."""
