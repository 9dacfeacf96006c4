"""SQL over the `sys_*` tables, for `POST /query` and for clients of PostgreSQL."""
