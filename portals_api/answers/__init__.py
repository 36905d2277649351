"""What the API answers, with an example of each: for its documentation, and for the tests that hold answers to it."""
