"""The API and the pages. Routes translate, never decide."""
