"""The command line: what operators type. Every command is a few lines over services and selectors."""
