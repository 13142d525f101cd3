"""Chat models behind addresses: calls, what becomes of them, and when the next one is sent."""
