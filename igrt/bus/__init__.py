"""What crosses between processes: typed messages, their tables, the sockets, and the client."""
