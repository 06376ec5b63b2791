"""Lower layers from one task, frozen or not, on another (Yosinski 2014)."""
