"""Procedures people can read, the cases that run them, and the promises that are kept."""
