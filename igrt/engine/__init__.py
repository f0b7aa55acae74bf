"""The engine: one per treatment room; it takes images in, has them answered by a worker, and tells what it knows."""
