"""Which videos there are, which of them are new, and how their batches stand."""
