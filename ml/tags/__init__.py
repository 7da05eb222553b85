"""Tags of a taxonomy: learnt from a catalogue's labels, or without any."""
