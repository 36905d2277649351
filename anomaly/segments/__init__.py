"""Rules of feeders and cabinets: what their lamps, seen together, say of what feeds them."""
