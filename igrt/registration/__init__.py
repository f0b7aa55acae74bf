"""Where the daily anatomy is: a pose, its covariance and the evidence for it. Proposes; never judges."""
