"""Which frames of two videos show the same picture, and the plane transform between them."""
