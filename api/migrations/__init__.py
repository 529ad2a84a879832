"""The schema's history. It lives in api because only api sees the tables of all packages."""
