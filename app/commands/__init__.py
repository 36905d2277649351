"""What the commands of the command line do, one file each; `cli` only parses and prints."""
