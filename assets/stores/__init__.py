"""Where things lie and what a step asks for: files, batches, tables' engine, models, devices."""
