"""The operators' routes, one file per resource; every one of them declares `OperatorDep`."""
