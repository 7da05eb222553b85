"""Whether two videos move alike: tiny thumbnails, eight a second."""
