"""Routes of Participa: what is open now, what one may follow, and what developers need."""
