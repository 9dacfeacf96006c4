"""The PostgreSQL side of SQL: its wire protocol, its types, its catalog."""
