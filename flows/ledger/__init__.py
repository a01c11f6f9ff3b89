"""The ledger: what is recorded, what is looked up in it, and the tables that people query."""
