"""Array functions without a home of their own."""
