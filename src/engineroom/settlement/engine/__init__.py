"""What is true of paying and clearing: the days of a scheme, and which bank line settles what. Pure."""

from engineroom.settlement.engine.bacs import BacsCycle, bacs_cycle

__all__ = ["BacsCycle", "bacs_cycle"]
