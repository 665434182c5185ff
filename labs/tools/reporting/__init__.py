"""How a failed claim is told: replayed, made shorter, written, drawn (docs/reports.md)."""
