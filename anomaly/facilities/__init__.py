"""Rules of facilities: what buildings, cold rooms and water do against their opening hours and their own habits."""
